const failuresMax = 5;
const ejectionMs = 10_000;
const ejectionMsMax = 300_000;
/** Part of an ejection that chance may add, so that several proxies do not all try the backend again at one moment. */
const jitter = 0.1;

/**
 * Counts the failures in a row of one backend: 5 of them eject it for 10 s × n at most 300 s, n counting the ejections
 * since it last went 300 s without one.
 */
export class Ejection {
  #failures = 0;
  #times = 0;
  #endedMs = Number.NEGATIVE_INFINITY;

  succeeded(): void {
    this.#failures = 0;
  }

  /** Whether the row is now long enough; it goes on growing while the pool cannot spare the backend. */
  failed(): boolean {
    this.#failures += 1;
    return this.#failures >= failuresMax;
  }

  /** Starts an ejection and answers how long it lasts. `chance` is in [0, 1). */
  begin(nowMs: number, chance: number): number {
    this.#times = nowMs - this.#endedMs > ejectionMsMax ? 1 : this.#times + 1;
    this.#failures = 0;
    const shortestMs = Math.min(ejectionMs * this.#times, ejectionMsMax / (1 + jitter));
    const lastsMs = shortestMs * (1 + jitter * chance);
    this.#endedMs = nowMs + lastsMs;
    return lastsMs;
  }
}
