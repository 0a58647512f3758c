/** Moments of issue may run this far ahead of the clock, to give each binding its own. */
const aheadMsMax = 1000;

/** One of the processes that serve side by side: the `nth` from 0, `of` so many. */
export interface WorkerShare {
  readonly nth: number;
  readonly of: number;
}

/**
 * Gives each binding a moment of its own, for a browser is known by it. Several processes share the milliseconds out:
 * each takes those that are its number when divided by how many they are.
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
