import type { VerdictWord } from '../simulator/verdict.js';

/** Where more of the cells than this share, and more than one, are inconclusive, it is not the chance of a moment. */
const doubtfulShareMax = 1 / 6;

/** How many labs run side by side: fewer as soon as it shows that the machine has no room for so many. */
export class Lanes {
  #atOnce: number;
  #done = 0;
  #doubtful = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
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
    if (this.#atOnce === 1 || !this.#tooMany) return;
    this.#atOnce -= 1;
    this.#done = 0;
    this.#doubtful = 0;
  }

  get #tooMany(): boolean {
    return this.#doubtful > 1 && this.#doubtful > this.#done * doubtfulShareMax;
  }
}
