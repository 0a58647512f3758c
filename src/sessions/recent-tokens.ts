const keptMs = 30_000;
const sessionsMax = 4_000;

interface Kept<State> {
  readonly state: State;
  readonly untilMs: number;
}

/**
 * The newest state of each session that changed on this backend a short time ago. A request that was read before the
 * change may be answered after it. Its renewed token must not bring the older data back.
 *
 * Memory is bounded: 4,000 sessions with one cookie of data each, for half a minute.
 */
export class RecentTokens<State> {
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept<State>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  find(sid: string): State | undefined {
    const kept = this.#kept.get(sid);
    return kept !== undefined && this.#now() < kept.untilMs ? kept.state : undefined;
  }

  keep(sid: string, state: State): void {
    const nowMs = this.#now();
    this.#kept.delete(sid);
    for (const [oldest, { untilMs }] of this.#kept) {
      if (nowMs < untilMs && this.#kept.size < sessionsMax) break;
      this.#kept.delete(oldest);
    }
    this.#kept.set(sid, { state, untilMs: nowMs + keptMs });
  }
}
