/** Something with a deadline. */
export interface Timed {
  /** A time on the clock of `Deadlines`; `Infinity`: no deadline. */
  deadlineMs: number;
  /** Called when the deadline has passed, and at each later check while it remains passed. */
  late(): void;
}

/**
 * All deadlines of an engine, checked a few times a second by one timer. Setting a deadline only writes a number. A
 * timer per wait costs more than all the other bookkeeping of a request.
 */
export class Deadlines {
  readonly #timed = new Set<Timed>();
  readonly #everyMs: number;
  readonly #timer: NodeJS.Timeout;
  #nowMs = performance.now();

  /** `shortestMs`: the shortest wait in use. Deadlines are checked at least four times within it. */
  constructor(shortestMs: number) {
    this.#everyMs = Math.max(5, Math.min(250, shortestMs / 4));
    this.#timer = setInterval(() => this.#look(), this.#everyMs).unref();
  }

  /** Returns a deadline at least `ms` from now, and only slightly later. */
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
