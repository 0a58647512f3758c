import { watchShare } from '../simulator/processor-watch.js';

/** More doubtful cells than this share, and more than one, are not the chance of a moment. */
const doubtfulShareMax = 1 / 6;
/** More of the processors than this must not be used on average: at times labs have their busiest moments together. */
const usedShareMax = 0.85;
/** So many good cells in each lane show that there may be room for one more. */
const calmRounds = 4;

/**
 * How many labs run side by side. It begins with half as many as there may be. Once it knows what they use, it goes on
 * with as many as the processors have room for. When too many cells are doubtful, it goes on with one lab fewer. After many
 * good cells it tries one more: what disturbed the labs may have been another program that has ended.
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

  /** Even one lab is too much for the machine. */
  get none(): boolean {
    return this.#atOnce === 1 && this.#tooMany;
  }

  /** `begunAmong`: how many labs there were when it began. `isDoubtful`: it said less than a run alone might say. */
  done(begunAmong: number, isDoubtful: boolean): void {
    if (begunAmong !== this.#atOnce) return;
    this.#done += 1;
    if (isDoubtful) this.#doubtful += 1;
    if (this.#tooMany) this.#change(Math.max(1, this.#atOnce - 1));
    else if (!this.#measured && this.#done >= 2 * this.#atOnce) {
      this.#measured = true;
      this.#change(this.#asManyAsFit());
    } else if (this.#doubtful === 0 && this.#done >= calmRounds * this.#atOnce) {
      this.#change(Math.min(this.#atOnce + 1, this.#asManyAsFit()));
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
