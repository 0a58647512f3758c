/** Milliseconds since the start of the run, to the microsecond. */
export interface Clock {
  now(): number;
}

export function startClock(): Clock {
  const origin = performance.now();
  return { now: () => Math.round((performance.now() - origin) * 1_000) / 1_000 };
}
