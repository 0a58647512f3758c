import type { Exchange } from '../exchange.js';

/**
 * The exchanges of one backend. A Set would do, but a Set that is added to and deleted from thousands of times a second
 * is rebuilt again and again, and each table that it leaves behind keeps what it held, with sockets and heads, from the
 * young collector: measured, a quarter of the CPU time of a request. Slots are used again instead.
 */
export class InFlight implements Iterable<Exchange> {
  readonly #slots: (Exchange | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  /** Answers with the slot to give back to `delete`. */
  add(exchange: Exchange): number {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = exchange;
    return slot;
  }

  /** Once for each slot. */
  delete(slot: number): void {
    this.#slots[slot] = undefined;
    this.#free.push(slot);
  }

  *[Symbol.iterator](): Iterator<Exchange> {
    for (const exchange of this.#slots) if (exchange !== undefined) yield exchange;
  }
}
