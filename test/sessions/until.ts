import { setTimeout as delay } from 'node:timers/promises';

/** Probes until the condition holds. It gives up after a time-out, because the probes would keep the process alive. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const lateAtMs = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > lateAtMs) throw new Error(`it does not hold after ${withinMs / 1000} s`);
    await delay(probeEveryMs);
  }
}

const probeEveryMs = 2;
const withinMs = 60_000;
