import { setTimeout as sleep } from 'node:timers/promises';
import { residentMbOf } from '#test/proxy/soak/footprint.js';

/** The measured proxy, a process of its own. */
export interface Place {
  readonly url: string;
  readonly pid: number;
}

/** One bound with the measured value. */
export interface Row {
  readonly what: string;
  readonly found: string;
  readonly bound: string;
  readonly holds: boolean;
}

const everyMs = 100;

/** Measures the proxy's peak memory above its idle memory while `work` runs. */
export async function risenMb<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly mb: number }> {
  const idleMb = (await residentMbOf(pid)) ?? 0;
  let most = idleMb;
  const timer = setInterval(() => {
    void residentMbOf(pid).then(now => (most = Math.max(most, now ?? 0)));
  }, everyMs);
  try {
    const result = await work();
    return { result, mb: most - idleMb };
  } finally {
    clearInterval(timer);
  }
}

/** Sends requests until memory has reached its normal level, then waits a moment. */
export async function warmUp({ url }: Place): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    const answers = Array.from({ length: 16 }, () => fetch(url).then(answer => answer.text()));
    await Promise.all(answers);
  }
  await sleep(1_000);
}
