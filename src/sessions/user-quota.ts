const windowMs = 3_600_000;
/** Beyond this many users, all counts begin again. So memory is bounded. */
const usersMax = 100_000;

/** Counts events per user in an hour. */
export class UserQuota {
  readonly #max: number;
  readonly #now: () => number;
  readonly #counts = new Map<string, number>();
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
  }

  /** Counts events of a user. Returns false, and counts nothing, if there would be more than the maximum. */
  take(user: string, events: number): boolean {
    const nowMs = this.#now();
    if (nowMs - this.#sinceMs >= windowMs || this.#counts.size >= usersMax) {
      this.#counts.clear();
      this.#sinceMs = nowMs;
    }
    const count = (this.#counts.get(user) ?? 0) + events;
    if (count > this.#max) return false;
    this.#counts.set(user, count);
    return true;
  }
}
