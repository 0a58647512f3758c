import { StoreUnavailable } from './errors.js';
import { Successors } from './outdated-tokens.js';
import { everyone, type RevocationFeed } from './revocation-feed.js';
import {
  clockToleranceMs,
  type Epochs,
  handleOfId,
  type NewSessionRecord,
  type SessionLimits,
  type SessionRecord,
  type SessionSummary,
  userTagIn,
  userTagOf,
} from './session.js';
import type { SessionStore } from './session-store.js';
import type { StrategySettings } from './session-strategy.js';

/** A revocation reaches every backend that reads the shared list within this time. */
export const revocationLagMs = 1_000;

/** Maximum number of single revocations of one user in an hour, on one backend. So one user who logs in and out again
 * and again cannot fill the list for all others. */
const revocationsPerUserMax = 1_000;

/** A session whose token carries everything. */
interface CarriedSession {
  /** The id of the session in all its tokens, in the list of sessions and in revocations. It is not the token. */
  readonly sid: string;
  readonly record: Omit<SessionRecord, 'data'>;
}

/**
 * The events that are counted:
 *
 *   cutOff        a session was opened while the list of revoked sessions was older than the revocation delay
 *   endedWithAll  the end of one session ended all sessions of its user: there were too many single revocations
 *   olderData     a token had older data than this backend issued: the browser sent it early, or a change was taken back
 */
type CountedEvent = 'cutOff' | 'endedWithAll' | 'olderData';

/**
 * Sessions whose tokens carry everything. The store only lists them; ending a session means revoking it. The session is
 * revoked before it is removed. If a step fails, the session is still listed and can be ended again.
 *
 * All sessions of a user end by a greater epoch, even those that the list has lost. The store makes the epoch, and the
 * feed tells it. The end is acknowledged when both have it.
 */
export class RegisteredSessions {
  readonly counts: Record<string, number> = {};
  readonly #store: SessionStore;
  readonly #feed: RevocationFeed | undefined;
  readonly #limits: SessionLimits;
  readonly #now: () => number;
  readonly #feedAgeMaxMs: number;
  readonly #quota: UserQuota;
  readonly #successors: Successors;

  constructor({ store, feed, limits, now, feedAgeMaxMs = Number.POSITIVE_INFINITY }: StrategySettings) {
    this.#store = store;
    this.#feed = feed;
    this.#limits = limits;
    this.#now = now;
    this.#feedAgeMaxMs = feedAgeMaxMs;
    this.#quota = new UserQuota(revocationsPerUserMax, now);
    this.#successors = new Successors(store, now);
  }

  /** Throws `StoreUnavailable` if the list of revoked sessions was never read, or is older than the settings allow. */
  isRevoked(session: CarriedSession, handle = handleOfId(session.sid)): boolean {
    const { sid, record } = session;
    return this.#feed?.isRevoked({ handle, userTag: userTagIn(sid), epochs: record.epochs }) === true;
  }

  /** Checks a session that a request opens, as `isRevoked` does, and counts it if this backend is cut off. */
  isRevokedAtOpen(session: CarriedSession, handle?: string): boolean {
    const ageMs = this.#feed?.ageMs() ?? 0;
    if (ageMs > this.#feedAgeMaxMs) {
      throw new StoreUnavailable(`the list of revoked sessions is more than ${this.#feedAgeMaxMs} ms old`);
    }
    const isRevoked = this.isRevoked(session, handle);
    if (ageMs > revocationLagMs && !isRevoked) this.count('cutOff');
    return isRevoked;
  }

  count(event: CountedEvent): void {
    this.counts[event] = (this.counts[event] ?? 0) + 1;
  }

  feedAgeMs(): number | undefined {
    return this.#feed?.ageMs();
  }

  /**
   * Lists a session that begins. Resolves with its epochs. The feed may know a newer epoch than a store that came back
   * empty: then the store gets it again. An epoch that is raised meanwhile is not copied, so it ends this session.
   */
  async register(sid: string, record: NewSessionRecord): Promise<Epochs> {
    const known = this.#feed?.findEpochs(userTagIn(sid)) ?? { user: 0, everyone: 0 };
    const given = await this.#store.create(sid, record);
    if (given.user >= known.user && given.everyone >= known.everyone) return given;
    const epochs = {
      user: Math.max(given.user, known.user),
      everyone: Math.max(given.everyone, known.everyone),
    };
    await this.#store.remove(sid);
    await this.#store.create(sid, { ...record, epochs });
    return epochs;
  }

  /** Moves the idle deadline in the list. A session that the store has lost is listed again, so that it can be found and
   * ended. One that ended meanwhile is not. */
  async touch(session: CarriedSession, idleUntilMs: number, relist: () => Promise<unknown>): Promise<void> {
    if (await this.#store.touch(session.sid, idleUntilMs)) return;
    await this.#feed?.catchUp();
    if (!this.isRevoked(session)) await relist();
  }

  list(user: string): Promise<readonly SessionSummary[]> {
    return this.#store.listByUser(user);
  }

  /** Ends a session. If a rotation has just replaced it, ends its successor too. */
  async end({ sid, record }: CarriedSession): Promise<void> {
    await this.#revoke(record.user, [handleOfId(sid)], record.absoluteUntilMs);
    if ((await this.#store.remove(sid)) !== 'gone') return;
    await this.#successors.end(sid, (user, handle) => this.endOne(user, handle));
  }

  /** Lists the session that will replace `old`, before `supersede`. */
  async prepareSuccessor(old: CarriedSession, sid: string, record: NewSessionRecord): Promise<void> {
    await Promise.all([this.#store.create(sid, record), this.#successors.record(old.sid, record.user, sid)]);
  }

  /**
   * Ends a session that rotation replaces. `successor` is listed already, but its token was not sent yet. An end that
   * came first wins, on any backend: then this removes the successor and resolves with `gone`. Otherwise it resolves
   * with the epochs of the successor.
   *
   * A session that is not listed and not revoked was lost by the store. It goes on, and `relist` lists its successor
   * under the present epochs. The token keeps its own.
   */
  async supersede(old: CarriedSession, successor: string, relist: () => Promise<unknown>): Promise<Epochs | 'gone'> {
    const isListed = (await this.#store.remove(old.sid)) === 'removed';
    await this.#feed?.catchUp();
    if (this.#feed === undefined ? !isListed : this.isRevoked(old)) {
      await this.#store.remove(successor);
      return 'gone';
    }
    if (!isListed) {
      await this.#store.remove(successor);
      await relist();
    }
    const { user, absoluteUntilMs, epochs } = old.record;
    const raised = await this.#revoke(user, [handleOfId(old.sid)], absoluteUntilMs, successor);
    return raised === undefined ? epochs : { ...epochs, user: raised };
  }

  async endOne(user: string, handle: string): Promise<boolean> {
    const listed = await this.#store.listByUser(user);
    if (!listed.some(each => each.handle === handle)) return false;
    await this.#revoke(user, [handle], this.#latestEndMs());
    return this.#store.removeByHandle(user, handle);
  }

  async endAll(user: string): Promise<number> {
    const listed = await this.#store.listByUser(user);
    await this.#raiseEpoch(user);
    return listed.length;
  }

  /**
   * Ends every other session of this user. Resolves with their number, and the epochs with which this session goes on.
   * An end of this session that came first wins: `gone`. If the store has lost the session, `relist` lists it.
   */
  async endOthers(
    session: CarriedSession,
    relist: () => Promise<unknown>,
  ): Promise<{ readonly ended: number; readonly epochs: Epochs } | 'gone'> {
    const { sid, record } = session;
    await this.#feed?.catchUp();
    if (this.isRevoked(session)) return 'gone';
    if ((await this.#store.read(sid)) === undefined) await relist();
    const listed = await this.#store.listByUser(record.user);
    const user = await this.#raiseEpoch(record.user, sid);
    if ((await this.#store.read(sid)) === undefined) return 'gone';
    const ended = listed.filter(({ handle }) => handle !== handleOfId(sid)).length;
    return { ended, epochs: { ...record.epochs, user } };
  }

  async endEveryone(): Promise<void> {
    const raised = await this.#store.clear();
    await this.#tellEpoch(everyone, raised);
  }

  async close(): Promise<void> {
    await Promise.all([this.#store.close(), this.#feed?.close()]);
  }

  /** Revokes single sessions. If there are too many, ends all sessions of their user but `except`, and resolves with the
   * new epoch: an end is never refused because there were many. */
  async #revoke(
    user: string,
    handles: readonly string[],
    untilMs: number,
    except?: string,
  ): Promise<number | undefined> {
    if (this.#feed === undefined) return undefined;
    if (this.#feed.hasRoomFor(handles.length) && this.#quota.take(user, handles.length)) {
      await this.#feed.revoke(handles, untilMs);
      return undefined;
    }
    this.count('endedWithAll');
    return this.#raiseEpoch(user, except);
  }

  async #raiseEpoch(user: string, except?: string): Promise<number> {
    const tag = userTagOf(user);
    const raised = await this.#store.raiseEpoch(user, except);
    if (this.#feed?.hasRoomForUser(tag) !== false) return this.#tellEpoch(tag, raised);
    await this.endEveryone();
    return raised;
  }

  /** Tells an epoch. It is greater than every known one, also if the store has lost a greater one. */
  async #tellEpoch(owner: string, raised: number): Promise<number> {
    if (this.#feed === undefined) return raised;
    const { user, everyone: all } = this.#feed.findEpochs(owner);
    const epoch = Math.max(raised, (owner === everyone ? all : user) + 1);
    await this.#feed.tellEpoch(owner, epoch, this.#latestEndMs() + clockToleranceMs);
    return epoch;
  }

  /** Returns a time by which every present session has ended. */
  #latestEndMs(): number {
    const { absoluteMs, remember } = this.#limits;
    return this.#now() + Math.max(absoluteMs, remember.absoluteMs);
  }
}

const windowMs = 3_600_000;
/** Number of users with a count. When it is exceeded, all counts are cleared, so that memory is bounded. */
const usersMax = 100_000;

/** Counts events per user in an hour. */
class UserQuota {
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
