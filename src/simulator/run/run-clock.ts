/** The longest time that a timer of Node can wait. The clock then sets the next timer. */
const timerMsMax = 2 ** 31 - 1;

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** The clock of one run. It wakes thousands of users with a single timer. */
export class RunClock {
  readonly #startedAt = performance.now();
  /** A binary heap. The first entry is the next to wake. */
  readonly #heap: Sleeper[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** Returns the milliseconds since the start of the run, rounded to a microsecond. */
  now(): number {
    return Math.round((performance.now() - this.#startedAt) * 1_000) / 1_000;
  }

  /** Resolves at that time of the run, never before it. Resolves at once if the time has passed or the clock is
   * closed. Infinity: when the clock is closed. */
  until(atMs: number): Promise<void> {
    if (this.#closed || atMs <= this.now()) return Promise.resolve();
    return new Promise(wake => {
      const sleeper = { atMs, wake };
      this.#push(sleeper);
      if (this.#heap[0] === sleeper) this.#arm();
    });
  }

  /** Closes the clock and wakes every waiter. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { wake } of this.#heap.splice(0)) wake();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#heap[0];
    if (next === undefined) return;
    // Timers have whole milliseconds and may fire slightly early. `#wakeDue` then sets the timer again.
    const inMs = Math.min(timerMsMax, Math.max(1, Math.ceil(next.atMs - this.now())));
    this.#timer = setTimeout(() => this.#wakeDue(), inMs);
  }

  #wakeDue(): void {
    const now = this.now();
    while (this.#heap[0] !== undefined && this.#heap[0].atMs <= now) this.#pop()?.wake();
    this.#arm();
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#heap;
    let index = heap.push(sleeper) - 1;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.atMs <= sleeper.atMs) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = sleeper;
  }

  #pop(): Sleeper | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(sleeper: Sleeper): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      const child = this.#earlierChild(index);
      const below = heap[child];
      if (below === undefined || below.atMs >= sleeper.atMs) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = sleeper;
  }

  #earlierChild(index: number): number {
    const [left, right] = [2 * index + 1, 2 * index + 2];
    const [a, b] = [this.#heap[left], this.#heap[right]];
    return a !== undefined && b !== undefined && b.atMs < a.atMs ? right : left;
  }
}
