import { setTimeout as delay } from 'node:timers/promises';

const probeIntervalMs = 20;

/** Rejects with `late()` when the promise does not settle in time. */
export async function withTimeout<T>(ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls `serves` repeatedly. Resolves with true as soon as `serves` does. Resolves with false after `waitMs`, or when
 * `isOver` returns true. A rejection of `serves` counts as false. Never rejects. */
export async function pollUntilReady(
  waitMs: number,
  { serves, isOver }: { serves(): Promise<boolean>; isOver(): boolean },
): Promise<boolean> {
  const giveUpAtMs = performance.now() + waitMs;
  const asking = async () => {
    while (!isOver() && performance.now() < giveUpAtMs) {
      if (await serves().catch(() => false)) return true;
      await delay(probeIntervalMs);
    }
    return false;
  };
  return Promise.race([asking(), delay(waitMs, false, { ref: false })]);
}
