import type { VerdictWord } from '../simulator/checker/verdict.js';
import { watchShare } from '../simulator/processor-watch.js';

/** Where more of the cells than this share, and more than one, are inconclusive, it is not the chance of a moment. */
const doubtfulShareMax = 1 / 6;
/** More of the processors than this must not be needed on average: labs come to their busiest moments together at times. */
const usedShareMax = 0.85;

/**
 * How many labs run side by side. Half as many as there may be at first; then, once, as many as the processors have room
 * for, by what the last ones used; one fewer as soon as it shows that they have none.
 */
export class Lanes {
  readonly #max: number;
  readonly #watch: () => () => number;
  #usedShare: () => number;
  #atOnce: number;
  #measured = false;
  #done = 0;
  #doubtful = 0;

  /** `watch`: for tests. */
  constructor(max: number, watch = watchShare) {
    this.#max = max;
    this.#watch = watch;
    this.#usedShare = watch();
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
    if (this.#tooMany) this.#change(Math.max(1, this.#atOnce - 1));
    else if (!this.#measured && this.#done >= 2 * this.#atOnce) {
      this.#measured = true;
      this.#change(this.#asManyAsFit());
    }
  }

  #change(atOnce: number): void {
    if (atOnce === this.#atOnce) return;
    this.#atOnce = atOnce;
    this.#done = 0;
    this.#doubtful = 0;
    this.#usedShare = this.#watch();
  }

  #asManyAsFit(): number {
    const room = Math.floor((usedShareMax * this.#atOnce) / this.#usedShare());
    return Math.min(this.#max, Math.max(this.#atOnce, room));
  }

  get #tooMany(): boolean {
    return this.#doubtful > 1 && this.#doubtful > this.#done * doubtfulShareMax;
  }
}
