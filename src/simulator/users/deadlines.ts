/** Something that ends by itself (`settled`) or is made to end when its time is over. */
export interface Expiring {
  readonly settled: boolean;
  expire(): void;
}

/**
 * One limit for all: so they expire in the order in which they were added, and one timer serves thousands.
 */
export class Deadlines {
  readonly #limitMs: number;
  #queue: { readonly item: Expiring; readonly atMs: number }[] = [];
  #head = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  add(item: Expiring): void {
    this.#queue.push({ item, atMs: performance.now() + this.#limitMs });
    if (this.#timer === undefined) this.#arm(this.#limitMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#head = 0;
  }

  #arm(inMs: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(inMs)));
  }

  /** Passes over what has settled, expires what is due, and sleeps until the oldest that is still open is. */
  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (let entry = this.#queue[this.#head]; entry !== undefined; entry = this.#queue[this.#head]) {
      if (!entry.item.settled && entry.atMs > now) break;
      this.#head += 1;
      if (!entry.item.settled) entry.item.expire();
    }
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
    const oldest = this.#queue[0];
    if (oldest !== undefined) this.#arm(oldest.atMs - now);
  }
}
