import { hash } from 'node:crypto';
import { SessionExists, StoreUnavailable } from './errors.js';
import { handleOfId, type SessionRecord, userTagIn, userTagOf } from './session.js';
import type { SessionStore } from './session-store.js';

/** Longer than the longest request that was sent before the rotation. */
const successorKeptMs = 60_000;
const followedMax = 8;

/** Prefix of the names under which a store keeps successors. No user has a name that begins with it. */
export const successorPrefix = 'replaced:';

/**
 * Remembers for a minute which session replaced which. A logout may carry a token that a rotation has just replaced. It
 * must end the successor: the browser has no other token, and the user was told that they are logged out.
 *
 * The store keeps a successor as one more record, under an id that no cookie can name. It has the handle of the
 * successor, so it opens no session.
 */
export class Successors {
  readonly #store: SessionStore;
  readonly #now: () => number;

  constructor(store: SessionStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Records the successor of a session. Call it before the session is removed. If the store cannot keep it, the
   * rotation goes on: only a logout at the same moment would need it. */
  async record(formerId: string, user: string, successorId: string): Promise<void> {
    const place = placeOf(handleOfId(formerId), userTagIn(formerId));
    const createdAtMs = this.#now();
    const untilMs = createdAtMs + successorKeptMs;
    const data = { user, handle: handleOfId(successorId) };
    const times = { createdAtMs, idleUntilMs: untilMs, absoluteUntilMs: untilMs };
    const create = () => this.#store.create(place.id, { user: place.user, data, version: 1, ...times });
    try {
      await create().catch(async error => {
        if (!(error instanceof SessionExists)) throw error;
        await this.#store.remove(place.id);
        return create();
      });
    } catch (error) {
      if (!(error instanceof StoreUnavailable || error instanceof SessionExists)) throw error;
    }
  }

  /** Ends the successor of a session, or its successor in turn. A no-op if there is none. */
  async end(formerId: string, endOne: (user: string, handle: string) => Promise<boolean>): Promise<void> {
    let handle = handleOfId(formerId);
    for (let followed = 0; followed < followedMax; followed++) {
      const { user, handle: next } = (await this.#store.read(placeOf(handle, userTagIn(formerId)).id))?.data ?? {};
      if (typeof user !== 'string' || typeof next !== 'string' || (await endOne(user, next))) return;
      handle = next;
    }
  }
}

/** Returns where the store keeps the successor of a session. All successors of one user are together, as sessions are. */
function placeOf(handle: string, userTag: string) {
  const user = `${successorPrefix}${userTag}`;
  // No session id has "-" at this place.
  return { user, id: `${hash('sha256', `${successorPrefix}${handle}`, 'base64url').slice(0, 42)}-${userTagOf(user)}` };
}

const newestKeptMs = 30_000;
const sessionsMax = 4_000;

type Carried = { readonly record: Pick<SessionRecord, 'version' | 'epochs'> };

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
export class RecentTokens<State extends Carried> {
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept<State>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  find(sid: string): State | undefined {
    const kept = this.#kept.get(sid);
    return kept !== undefined && this.#now() < kept.untilMs ? kept.state : undefined;
  }

  /** Returns the state if it has newer data or a newer epoch than `own`. */
  findNewer(sid: string, { version, epochs }: Carried['record']): State | undefined {
    const newest = this.find(sid);
    if (newest === undefined) return undefined;
    return newest.record.version > version || newest.record.epochs.user > epochs.user ? newest : undefined;
  }

  keep(sid: string, state: State): void {
    const nowMs = this.#now();
    this.#kept.delete(sid);
    for (const [oldest, { untilMs }] of this.#kept) {
      if (nowMs < untilMs && this.#kept.size < sessionsMax) break;
      this.#kept.delete(oldest);
    }
    this.#kept.set(sid, { state, untilMs: nowMs + newestKeptMs });
  }
}
