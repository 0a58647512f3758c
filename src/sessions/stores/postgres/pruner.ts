/** How many rows one statement removes: few enough to be done well within its deadline. */
export const prunedAtOnce = 500;

export interface PrunerOptions {
  /** Between two rounds, half of it up to one and a half times: backends that were started together soon are apart. */
  readonly intervalMs: number;
  /** Removes up to so many rows that are over; resolves with how many it were. */
  prune(rowsMax: number): Promise<number>;
}

/** Removes what is over from time to time, until it is closed. Nobody waits for it, nor need it succeed: what is over is
 * not there for anybody, pruned or not. */
export class Pruner {
  readonly #options: PrunerOptions;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: PrunerOptions) {
    this.#options = options;
    this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (this.#isClosed) return;
    const waitMs = this.#options.intervalMs * (0.5 + Math.random());
    this.#timer = setTimeout(() => void this.#round().finally(() => this.#wait()), waitMs).unref();
  }

  async #round(): Promise<void> {
    try {
      for (let removed = prunedAtOnce; removed === prunedAtOnce && !this.#isClosed; ) {
        removed = await this.#options.prune(prunedAtOnce);
      }
    } catch {
      // The store is away: the next round will find the same rows.
    }
  }
}
