const failuresMax = 5;
const ejectionMs = 10_000;
const ejectionMsMax = 300_000;
/** Random part added to an ejection, so that several proxies do not all retry the backend at once. */
const jitter = 0.1;

/**
 * Counts the failures in a row of one backend. Five failures eject it for n × 10 s, at most 300 s. `n` counts the
 * ejections since the last 300 s without one.
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
  recordFailure(): boolean {
    this.#failures += 1;
    return this.#failures >= failuresMax;
  }

  /** Starts an ejection and returns its duration. `chance` is in [0, 1). */
  begin(nowMs: number, chance: number): number {
    this.#times = nowMs - this.#endedMs > ejectionMsMax ? 1 : this.#times + 1;
    this.#failures = 0;
    const shortestMs = Math.min(ejectionMs * this.#times, ejectionMsMax / (1 + jitter));
    const lastsMs = shortestMs * (1 + jitter * chance);
    this.#endedMs = nowMs + lastsMs;
    return lastsMs;
  }
}
