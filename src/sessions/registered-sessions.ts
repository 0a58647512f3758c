import { endAll, removeThese } from './end-sessions.js';
import type { RevocationFeed } from './revocation-feed.js';
import type { SessionLimits, SessionRecord, SessionSummary } from './session.js';
import { digestOf, handleOf } from './session-id.js';
import type { SessionStore } from './session-store.js';
import type { StrategySettings } from './session-strategy.js';

/**
 * The sessions whose tokens say everything themselves: the store only lists them, and ending one means to revoke it.
 * It is revoked before it is removed: what is still listed can be tried again, what is not could not even be found.
 */
export class RegisteredSessions {
  readonly #store: SessionStore;
  readonly #feed: RevocationFeed | undefined;
  readonly #limits: SessionLimits;
  readonly #now: () => number;

  constructor({ store, feed, limits, now }: StrategySettings) {
    this.#store = store;
    this.#feed = feed;
    this.#limits = limits;
    this.#now = now;
  }

  /** By the time of login, which nothing moves: a token that is issued on a backend which does not know yet must not
   * carry the session past the end of everyone's. */
  isRevoked(handle: string, { createdAtMs }: Pick<SessionRecord, 'createdAtMs'>): boolean {
    return this.#feed?.isRevoked(handle, createdAtMs) === true;
  }

  list(user: string): Promise<readonly SessionSummary[]> {
    return this.#store.listByUser(user);
  }

  async end(id: string, untilMs: number): Promise<void> {
    await this.#feed?.revoke([handleOf(digestOf(id))], untilMs);
    await this.#store.remove(id);
  }

  /**
   * Ends a session whose `successor` is in the list already, though nobody has a token of it yet: a logout that came
   * before, on whichever backend, wins. False when it did, and then there is no successor either.
   */
  async supersede(id: string, successor: string, untilMs: number): Promise<boolean> {
    if ((await this.#store.remove(id)) !== 'removed') {
      await this.#store.remove(successor);
      return false;
    }
    await this.#feed?.revoke([handleOf(digestOf(id))], untilMs);
    return true;
  }

  async endOne(user: string, handle: string): Promise<boolean> {
    const listed = await this.#store.listByUser(user);
    const isListed = listed.some(each => each.handle === handle);
    return isListed && (await this.#endThese(user, [handle])) > 0;
  }

  endAll(user: string, except?: string): Promise<number> {
    return endAll(this.#store, user, except, handles => this.#endThese(user, handles));
  }

  async endEveryone(): Promise<void> {
    await this.#feed?.revokeEveryone(this.#latestEndMs());
    await this.#store.clear();
  }

  async close(): Promise<void> {
    await Promise.all([this.#store.close(), this.#feed?.close()]);
  }

  async #endThese(user: string, handles: readonly string[]): Promise<number> {
    await this.#feed?.revoke(handles, this.#latestEndMs());
    return removeThese(this.#store, user, handles);
  }

  /** No session that there is now lives longer. */
  #latestEndMs(): number {
    return this.#now() + this.#limits.absoluteMs;
  }
}
