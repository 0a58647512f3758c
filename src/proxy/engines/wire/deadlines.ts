/** Something that must move on before a moment. */
export interface Timed {
  /** On the clock of `Deadlines`; `Infinity`: it may take its time. */
  deadlineMs: number;
  /** The moment has passed. Called again at each look as long as it has. */
  late(): void;
}

/**
 * All deadlines of an engine, looked at a few times a second by one timer. To set one is to write a number: a timer of
 * its own for each wait of each request costs more than the rest of the bookkeeping together.
 */
export class Deadlines {
  readonly #timed = new Set<Timed>();
  readonly #everyMs: number;
  readonly #timer: NodeJS.Timeout;
  #nowMs = performance.now();

  /** `shortestMs`: of the waits that will be asked for; a look is made at least four times within it. */
  constructor(shortestMs: number) {
    this.#everyMs = Math.max(5, Math.min(250, shortestMs / 4));
    this.#timer = setInterval(() => this.#look(), this.#everyMs).unref();
  }

  /** A deadline that does not pass before `ms` from now, and soon after. */
  in(ms: number): number {
    return this.#nowMs + this.#everyMs + ms;
  }

  add(timed: Timed): void {
    this.#timed.add(timed);
  }

  delete(timed: Timed): void {
    this.#timed.delete(timed);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#nowMs = performance.now();
    for (const timed of this.#timed) if (timed.deadlineMs < this.#nowMs) timed.late();
  }
}
