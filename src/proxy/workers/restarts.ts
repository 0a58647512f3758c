const lossesMax = 5;
const withinMs = 60_000;

/** Counts workers that were lost: one that is lost again and again is not worth starting again. */
export class Restarts {
  readonly #lostMs: number[] = [];

  /** A worker was lost; whether another one may take its place. */
  mayGoOn(nowMs: number): boolean {
    this.#lostMs.push(nowMs);
    if (this.#lostMs.length > lossesMax) this.#lostMs.shift();
    const [first = nowMs] = this.#lostMs;
    return this.#lostMs.length < lossesMax || nowMs - first > withinMs;
  }
}

export const tooManyLost = `${lossesMax} workers were lost within ${withinMs / 1000} s; no further one is started`;
