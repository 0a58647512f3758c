import { setTimeout as delay } from 'node:timers/promises';

/** Probes until it holds; the test's own time limit ends what never does. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(probeEveryMs);
}

const probeEveryMs = 2;
