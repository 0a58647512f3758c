import { copyText } from '../../../shared/text.js';

/** Maximum number of users in each of the two maps. */
const usersMax = 50_000;

/**
 * The highest epoch of each user that this process has seen. A server that came back with an older snapshot, or a
 * replica that took over without the last writes, has a lower one. So its sessions are known to have ended.
 *
 * It remembers the last 50,000 users at least. When `#recent` is full, it becomes `#older`, and the former `#older` is
 * forgotten. So most reads write nothing.
 */
export class KnownEpochs {
  #recent = new Map<string, number>();
  #older: ReadonlyMap<string, number> = new Map();

  /** Returns the highest epoch that was seen, or 0. */
  of(tag: string): number {
    return this.#recent.get(tag) ?? this.#older.get(tag) ?? 0;
  }

  /** Records an epoch. Returns the highest one. */
  see(tag: string, epoch: number): number {
    const recent = this.#recent.get(tag);
    if (recent !== undefined && recent >= epoch) return recent;
    const highest = Math.max(epoch, this.of(tag));
    if (recent === undefined && this.#recent.size >= usersMax) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(copyText(tag), highest);
    return highest;
  }
}

/** Reports whether a value from the server is an epoch. Any other value is a lost epoch. */
export function isEpoch(text: string | null): text is string {
  return text !== null && /^\d{1,15}$/.test(text);
}
