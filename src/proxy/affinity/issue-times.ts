/** Issue times may run this far ahead of the clock, so that each binding has its own. */
const aheadMsMax = 1000;

/** One of the processes that serve side by side: number `nth`, counted from 0, of `of`. */
export interface WorkerShare {
  readonly nth: number;
  readonly of: number;
}

/**
 * Gives each binding a unique time of issue, which identifies a browser. Several processes share the milliseconds:
 * process `nth` takes those whose remainder modulo `of` is `nth`.
 */
export class IssueTimes {
  readonly #share: WorkerShare;
  #lastMs = 0;

  constructor(share: WorkerShare = { nth: 0, of: 1 }) {
    this.#share = share;
  }

  next(nowMs: number): number {
    const soonestMs = this.#lastMs + 1;
    const wantedMs = soonestMs > nowMs && soonestMs < nowMs + aheadMsMax ? soonestMs : nowMs;
    const { nth, of } = this.#share;
    this.#lastMs = wantedMs + ((nth - (wantedMs % of) + of) % of);
    return this.#lastMs;
  }
}
