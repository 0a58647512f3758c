import { RunClock } from '#src/simulator/run/run-clock.js';

interface Event {
  readonly atMs: number;
  /** Events of the same moment happen in the order in which they were planned. */
  readonly order: number;
  readonly happen: () => void;
}

/**
 * The clock of a run in memory. Time stands still while code runs and jumps to the next event when nothing is left to do,
 * so a run of nine seconds takes some milliseconds and is the same every time.
 */
export class VirtualTime extends RunClock {
  /** A binary heap: the first is the next to happen. */
  readonly #heap: Event[] = [];
  #nowMs = 0;
  #order = 0;
  /** A promise was resolved, and what follows from it has not been done yet. */
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

  /** Plans an event; one of the past happens next. */
  at(atMs: number, happen: () => void): void {
    this.#order += 1;
    this.#push({ atMs: Math.max(atMs, this.#nowMs), order: this.#order, happen });
  }

  /** To be called by an event that resolves a promise: time goes on when all that follows from it is done. */
  followUp(): void {
    this.#mustFollowUp = true;
  }

  after(ms: number, happen: () => void): void {
    this.at(this.#nowMs + ms, happen);
  }

  /** Lets events happen until `done` is settled. Rejects when it never will be: no event is left. */
  async run<T>(done: Promise<T>): Promise<T> {
    let isDone = false;
    const noteDone = (): void => {
      isDone = true;
    };
    done.then(noteDone, noteDone);
    for (;;) {
      if (this.#mustFollowUp) {
        this.#mustFollowUp = false;
        // Node calls it when no promise is left to follow up.
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
