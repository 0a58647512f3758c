import { closeSync, openSync } from 'node:fs';

/** A new process needs this many: a channel, and a pipe by which the system reports that it cannot start. */
const count = 8;

/** Holds file descriptors back, so that a worker can be replaced while a flood of connections takes all others. */
export class DescriptorReserve {
  #held: number[] = [];

  /** Calls `use` while the descriptors are free. */
  lend<T>(use: () => T): T {
    this.release();
    try {
      return use();
    } finally {
      this.#hold();
    }
  }

  release(): void {
    for (const fd of this.#held) closeSync(fd);
    this.#held = [];
  }

  /** Holds as many as it can open. The next call tries to open the others. */
  #hold(): void {
    try {
      while (this.#held.length < count) this.#held.push(openSync('/dev/null', 'r'));
    } catch {}
  }
}
