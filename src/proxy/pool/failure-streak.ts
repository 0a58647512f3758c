import type { EjectionOptions } from '../options.js';

/** Random part added to an ejection, so that several proxies do not all retry the backend at once. */
const jitter = 0.1;

/**
 * Counts the failures in a row of one backend. `after` failures eject it for n × `forMs`, at most `forMsMax`. `n` counts
 * the ejections since the last `forMsMax` without one.
 */
export class Ejection {
  #failures = 0;
  #times = 0;
  #endedMs = Number.NEGATIVE_INFINITY;

  recordSuccess(): void {
    this.#failures = 0;
  }

  /**
   * Counts a failure. Returns whether there were enough failures in a row to eject the backend. The count keeps growing
   * while the pool cannot spare the backend.
   */
  recordFailure({ after }: Pick<EjectionOptions, 'after'>): boolean {
    this.#failures += 1;
    return after > 0 && this.#failures >= after;
  }

  /** Starts an ejection and returns its duration. `chance` is in [0, 1). */
  begin(nowMs: number, chance: number, { forMs, forMsMax }: Omit<EjectionOptions, 'after'>): number {
    this.#times = nowMs - this.#endedMs > forMsMax ? 1 : this.#times + 1;
    this.#failures = 0;
    const shortestMs = Math.min(forMs * this.#times, forMsMax / (1 + jitter));
    const lastsMs = shortestMs * (1 + jitter * chance);
    this.#endedMs = nowMs + lastsMs;
    return lastsMs;
  }
}
