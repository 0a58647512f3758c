import { endAll, removeByHandles } from './end-sessions.js';
import type { Epochs } from './epochs.js';
import type { RevocationFeed } from './revocation-feed.js';
import { digestOf, handleOf, type SessionLimits, type SessionRecord, type SessionSummary } from './session.js';
import type { SessionStore } from './session-store.js';
import type { StrategySettings } from './session-strategy.js';

/** The epochs in a token that does not carry them. Nothing compares them. */
export const uncarriedEpochs: Epochs = { user: 0, everyone: 0 };

/**
 * Sessions whose tokens carry everything. The store only lists them; ending a session means revoking it. The session is
 * revoked before it is removed. If a step fails, the session is still listed and can be ended again. An unlisted
 * session could not be found again.
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

  /** Compares by the time of login, which never changes. After `endEveryone`, a backend that does not know of it yet
   * may issue another token. That token must not outlive the revocation. */
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

  /** Ends a session that rotation replaces. `successor` is listed already, but its token was not sent yet. A logout on
   * any backend that came first wins: then this removes the successor and resolves with false. */
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

  /** Ends every session of `user` except the one with the handle `except`. */
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
    return removeByHandles(this.#store, user, handles);
  }

  /** Returns a time by which every present session has ended. */
  #latestEndMs(): number {
    return this.#now() + this.#limits.absoluteMs;
  }
}
