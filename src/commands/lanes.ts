import { watchShare } from '../simulator/processor-watch.js';
import type { VerdictWord } from '../simulator/verdict.js';

/** Where more of the cells than this share, and more than one, are inconclusive, it is not the chance of a moment. */
const doubtfulShareMax = 1 / 6;
/** More of the processors than this must not be needed on average: labs come to their busiest moments together at times. */
const usedShareMax = 0.85;

/**
 * How many labs run side by side. Half as many as there may be at first; then, once, as many as the processors have room
 * for, by what the first ones used; fewer as soon as it shows that they have none.
 */
export class Lanes {
  readonly #max: number;
  readonly #usedShare: () => number;
  #atOnce: number;
  #settled = false;
  #done = 0;
  #doubtful = 0;

  constructor(max: number, usedShare: () => number = watchShare()) {
    this.#max = max;
    this.#usedShare = usedShare;
    this.#atOnce = Math.ceil(max / 2);
  }

  get atOnce(): number {
    return this.#atOnce;
  }

  /** Also one lab by itself is too much for it. */
  get none(): boolean {
    return this.#atOnce === 1 && this.#tooMany;
  }

  /** `begunAmong`: so many labs there were when it began. */
  done(begunAmong: number, word: VerdictWord): void {
    if (begunAmong !== this.#atOnce) return;
    this.#done += 1;
    if (word === 'inconclusive') this.#doubtful += 1;
    if (this.#tooMany) this.#settle(this.#atOnce - 1);
    else if (!this.#settled && this.#done >= 2 * this.#atOnce) this.#settle(this.#asManyAsFit());
  }

  #settle(atOnce: number): void {
    this.#settled = true;
    if (atOnce === this.#atOnce || atOnce === 0) return;
    this.#atOnce = atOnce;
    this.#done = 0;
    this.#doubtful = 0;
  }

  #asManyAsFit(): number {
    const room = Math.floor((usedShareMax * this.#atOnce) / this.#usedShare());
    return Math.min(this.#max, Math.max(this.#atOnce, room));
  }

  get #tooMany(): boolean {
    return this.#doubtful > 1 && this.#doubtful > this.#done * doubtfulShareMax;
  }
}
