import { TooBusy } from '../refusal.js';

/** Lets so many run at once, lets so many more wait in line, and turns the others away. */
export class Turns {
  readonly #atOnceMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnceMax: number, waitingMax: number) {
    this.#atOnceMax = atOnceMax;
    this.#waitingMax = waitingMax;
  }

  /** Rejects with `TooBusy` when the line is full, and with whatever `work` rejects with. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnceMax) this.#running++;
    else await this.#place();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // Whoever is next takes over this very place, so that nobody who comes now can slip in between.
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #place(): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) throw new TooBusy();
    return new Promise(resolve => this.#waiting.push(resolve));
  }
}
