import { RunClock } from '#src/simulator/run/run-clock.js';

interface Event {
  readonly atMs: number;
  /** Events with the same time happen in the order in which they were planned. */
  readonly order: number;
  readonly happen: () => void;
}

/**
 * The clock of a run in memory. Time stands still while code runs, and jumps to the next event when no code is left to
 * run. So a run of nine seconds takes some milliseconds and is the same every time.
 */
export class VirtualTime extends RunClock {
  /** A binary heap. The first event is the next to happen. */
  readonly #heap: Event[] = [];
  #nowMs = 0;
  #order = 0;
  /** Whether a promise was resolved whose continuations have not run yet. */
  #mustFollowUp = true;

  override now(): number {
    return this.#nowMs;
  }

  override until(atMs: number): Promise<void> {
    if (atMs <= this.#nowMs) return Promise.resolve();
    return new Promise(resolve =>
      this.at(atMs, () => {
        this.#mustFollowUp = true;
        resolve();
      }),
    );
  }

  override close(): void {
    this.#heap.length = 0;
  }

  /** Plans an event. An event in the past happens next. */
  at(atMs: number, happen: () => void): void {
    this.#order += 1;
    this.#push({ atMs: Math.max(atMs, this.#nowMs), order: this.#order, happen });
  }

  /** Lets the continuations of a promise run before time goes on. An event that resolves a promise must call it. */
  followUp(): void {
    this.#mustFollowUp = true;
  }

  after(ms: number, happen: () => void): void {
    this.at(this.#nowMs + ms, happen);
  }

  /** Runs events until `done` is settled. Rejects if no event is left before that. */
  async run<T>(done: Promise<T>): Promise<T> {
    let isDone = false;
    const noteDone = (): void => {
      isDone = true;
    };
    done.then(noteDone, noteDone);
    for (;;) {
      if (this.#mustFollowUp) {
        this.#mustFollowUp = false;
        // Node calls this when all continuations of promises have run.
        await new Promise<void>(resolve => process.nextTick(resolve));
        if (isDone) return done;
      }
      const next = this.#pop();
      if (next === undefined) throw new Error(`nothing happens after ${this.#nowMs} ms, and the run is not over`);
      this.#nowMs = next.atMs;
      next.happen();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      const [left, right] = [heap[2 * index + 1], heap[2 * index + 2]];
      const isLeft = left !== undefined && (right === undefined || isBefore(left, right));
      const below = isLeft ? left : right;
      if (below === undefined || isBefore(last, below)) break;
      heap[index] = below;
      index = 2 * index + (isLeft ? 1 : 2);
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
