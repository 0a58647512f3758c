const usersMax = 100_000;

/**
 * The highest epoch of each user that this process has seen. A server that came back with an older snapshot, or a
 * replica that took over without the last writes, has a lower one. So its sessions are known to have ended.
 *
 * It remembers a limited number of users, and forgets the one that was seen longest ago.
 */
export class KnownEpochs {
  readonly #epochs = new Map<string, number>();

  /** Returns the highest epoch that was seen, or 0. */
  of(tag: string): number {
    return this.#epochs.get(tag) ?? 0;
  }

  /** Records an epoch. Returns the highest one. */
  see(tag: string, epoch: number): number {
    const highest = Math.max(epoch, this.of(tag));
    this.#epochs.delete(tag);
    this.#epochs.set(tag, highest);
    if (this.#epochs.size > usersMax) this.#forgetOldest();
    return highest;
  }

  #forgetOldest(): void {
    for (const oldest of this.#epochs.keys()) {
      this.#epochs.delete(oldest);
      return;
    }
  }
}

/** Reports whether a value from the server is an epoch. Any other value is a lost epoch. */
export function isEpoch(text: string | null): text is string {
  return text !== null && /^\d{1,15}$/.test(text);
}
