import { SessionConflict, StoreUnavailable } from '../errors.js';
import {
  applyEdit,
  computeDeadlines,
  computeTouchedIdleUntilMs,
  digestOf,
  handleOf,
  isSessionId,
  type NewSessionRecord,
  type NoSession,
  newSessionId,
  type Session,
  type SessionData,
  type SessionLimits,
  type SessionRecord,
  type SessionSummary,
  toPlainData,
} from '../session.js';
import type { RoundTrips, SessionStore } from '../session-store.js';
import type { EndedOthers, Issued, SessionStrategy, StrategyEntry, StrategySettings } from '../session-strategy.js';

const triesMax = 5;

/** Strategy whose token is the random id of a record in the store. */
class ReferenceStrategy implements SessionStrategy {
  readonly #store: SessionStore;
  readonly #limits: SessionLimits;
  readonly #now: () => number;

  constructor({ store, limits, now }: StrategySettings) {
    this.#store = store;
    this.#limits = limits;
    this.#now = now;
  }

  async open(token: string | undefined): Promise<Session | NoSession> {
    if (token === undefined) return 'absent';
    if (!isSessionId(token)) return 'malformed';
    const record = await this.#store.read(token);
    if (record === undefined) return 'unknown';
    const touched = await this.#touchWhenDue(token, record);
    return touched === undefined ? 'unknown' : { token, record: touched };
  }

  async begin(user: string, data: SessionData): Promise<Issued> {
    const plain = toPlainData(data, this.#limits.dataBytesMax);
    return this.#issue({ user, data: plain.data, version: 1, ...computeDeadlines(this.#limits, this.#now()) });
  }

  async change({ token, record }: Session, edit: (data: SessionData) => void): Promise<Issued | 'gone'> {
    let current: SessionRecord | undefined = record;
    for (let tries = 0; tries < triesMax && current !== undefined; tries++) {
      const next = this.#applyEdit(current, edit);
      const outcome = next === current ? 'saved' : await this.#store.replace(token, next);
      if (outcome === 'saved') return { token, session: { token, record: next } };
      if (outcome === 'gone') return 'gone';
      current = await this.#store.read(token);
    }
    if (current === undefined) return 'gone';
    throw new SessionConflict();
  }

  /** Creates the successor before it removes the old session. The new token is not sent until the removal succeeded for
   * the copied version. So a change or a logout in between wins, and is neither lost nor undone. */
  async rotate({ token }: Session): Promise<Issued | 'gone'> {
    for (let tries = 0; tries < triesMax; tries++) {
      const record = await this.#store.read(token);
      if (record === undefined) return 'gone';
      const issued = await this.#issue(record);
      const outcome = await this.#store.remove(token, record.version);
      if (outcome === 'removed') return issued;
      await this.#store.remove(issued.token);
      if (outcome === 'gone') return 'gone';
    }
    throw new SessionConflict();
  }

  async end({ token }: Session): Promise<void> {
    await this.#store.remove(token);
  }

  async endToken(token: string): Promise<void> {
    if (isSessionId(token)) await this.#store.remove(token);
  }

  handleOf({ token }: Session): string {
    return handleOf(digestOf(token));
  }

  list(user: string): Promise<readonly SessionSummary[]> {
    return this.#store.listByUser(user);
  }

  endOne(user: string, handle: string): Promise<boolean> {
    return this.#store.removeByHandle(user, handle);
  }

  async endAll(user: string): Promise<number> {
    const listed = await this.#store.listByUser(user);
    await this.#store.raiseEpoch(user);
    return listed.length;
  }

  async endOthers(session: Session): Promise<EndedOthers | 'gone'> {
    const { token, record } = session;
    const [found, listed] = await Promise.all([this.#store.read(token), this.#store.listByUser(record.user)]);
    if (found === undefined) return 'gone';
    await this.#store.raiseEpoch(record.user, token);
    const kept = await this.#store.read(token);
    if (kept === undefined) return 'gone';
    const ended = listed.filter(({ handle }) => handle !== this.handleOf(session)).length;
    return { ended, issued: { token, session: { token, record: kept } } };
  }

  async endEveryone(): Promise<void> {
    await this.#store.clear();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #issue(record: NewSessionRecord): Promise<Issued> {
    const token = newSessionId(record.user);
    const epochs = await this.#store.create(token, record);
    return { token, session: { token, record: { ...record, epochs } } };
  }

  /** Touches the session if it is due. Undefined if the session ended after the read. A store may answer reads and
   * refuse writes (out of memory, a replica). The session is still good then; a later request touches it. */
  async #touchWhenDue(token: string, record: SessionRecord): Promise<SessionRecord | undefined> {
    const idleUntilMs = computeTouchedIdleUntilMs(record, this.#limits, this.#now());
    if (idleUntilMs === undefined) return record;
    try {
      return (await this.#store.touch(token, idleUntilMs)) ? { ...record, idleUntilMs } : undefined;
    } catch (error) {
      if (error instanceof StoreUnavailable) return record;
      throw error;
    }
  }

  /** Returns the next version, or `record` itself if the edit changed nothing. */
  #applyEdit(record: SessionRecord, edit: (data: SessionData) => void): SessionRecord {
    const next = applyEdit(record.data, edit, this.#limits.dataBytesMax);
    return next === undefined ? record : { ...record, data: next.data, version: record.version + 1 };
  }
}

/** Adds the read that comes before each change. */
function addRead({ read, write }: RoundTrips): RoundTrips {
  return { read, write: read + write };
}

export const reference: StrategyEntry = {
  needsFeed: false,
  capabilities: ({ compareAndSet, durability, revocationLagMs, dataBytesMax, roundTrips }) => ({
    compareAndSet,
    durability,
    withoutStoreMs: 0,
    revocationLagMs,
    dataBytesMax,
    dataIn: 'store',
    roundTrips: addRead(roundTrips ?? (durability === 'process' ? { read: 0, write: 0 } : { read: 1, write: 1 })),
    clockBackMs: Number.POSITIVE_INFINITY,
  }),
  open: settings => new ReferenceStrategy(settings),
};
