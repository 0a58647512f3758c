import type { SessionClient } from '../client.js';
import { SessionConflict, StoreUnavailable } from '../errors.js';
import { Successors } from '../outdated-tokens.js';
import {
  applyEdit,
  bindToCookie,
  computeDeadlines,
  computeTouchedIdleUntilMs,
  type Edit,
  handleOfId,
  isSessionId,
  type NewSessionRecord,
  type NoSession,
  newSessionId,
  type Room,
  reserveBytes,
  type Session,
  type SessionData,
  type SessionLimits,
  type SessionRecord,
  type SessionSummary,
  toPlainData,
} from '../session.js';
import type { RoundTrips, SessionStore } from '../session-store.js';
import type {
  BeginOptions,
  EndedOthers,
  Issued,
  SessionStrategy,
  StrategyEntry,
  StrategySettings,
} from '../session-strategy.js';

const triesMax = 5;

/** An open session. */
class StoredSession implements Session {
  constructor(
    readonly token: string,
    readonly record: SessionRecord,
    readonly cookie: string | undefined,
    /** The id in the store. It depends on the name of the cookie. */
    readonly id: string,
  ) {}
}

function requireStored(session: Session): StoredSession {
  if (session instanceof StoredSession) return session;
  throw new TypeError('this session was opened by another strategy');
}

/** Strategy whose token is the random id of a record in the store. */
class ReferenceStrategy implements SessionStrategy {
  readonly #store: SessionStore;
  readonly #limits: SessionLimits;
  readonly #now: () => number;
  readonly #successors: Successors;

  constructor({ store, limits, now }: StrategySettings) {
    this.#store = store;
    this.#successors = new Successors(store, now);
    this.#limits = limits;
    this.#now = now;
  }

  async open(token: string | undefined, cookie?: string): Promise<Session | NoSession> {
    if (token === undefined) return 'absent';
    if (!isSessionId(token)) return 'malformed';
    const id = bindToCookie(token, cookie);
    const record = await this.#store.read(id);
    if (record === undefined) return 'unknown';
    const idleUntilMs = computeTouchedIdleUntilMs(record, this.#limits, this.#now());
    const touched = idleUntilMs === undefined ? record : await this.#touch(id, record, idleUntilMs);
    return touched === undefined ? 'unknown' : new StoredSession(token, touched, cookie, id);
  }

  async begin(user: string, data: SessionData, { cookie, remember, client }: BeginOptions = {}): Promise<Issued> {
    const plain = toPlainData(data, this.#limits.dataBytesMax);
    const record = { user, data: plain.data, version: 1, ...computeDeadlines(this.#limits, this.#now(), remember) };
    return this.#issue(record, cookie, client);
  }

  async change(session: Session, edit: Edit, room?: Room): Promise<Issued | 'gone'> {
    const { token, id, record, cookie } = requireStored(session);
    let current: SessionRecord | undefined = record;
    for (let tries = 0; tries < triesMax && current !== undefined; tries++) {
      const next = this.#applyEdit(current, edit, room);
      const outcome = next === current ? 'saved' : await this.#store.replace(id, next);
      if (outcome === 'saved') return { token, session: new StoredSession(token, next, cookie, id) };
      if (outcome === 'gone') return 'gone';
      current = await this.#store.read(id);
    }
    if (current === undefined) return 'gone';
    throw new SessionConflict();
  }

  /** Creates the successor before it removes the old session. The new token is not sent until the removal succeeded for
   * the copied version. So a change or a logout in between wins, and is neither lost nor undone. */
  async rotate(session: Session, client?: SessionClient): Promise<Issued | 'gone'> {
    const { id, cookie } = requireStored(session);
    for (let tries = 0; tries < triesMax; tries++) {
      const record = await this.#store.read(id);
      if (record === undefined) return 'gone';
      const token = newSessionId(record.user);
      const [issued] = await Promise.all([
        this.#issue(record, cookie, client, token),
        this.#successors.record(id, record.user, bindToCookie(token, cookie)),
      ]);
      const outcome = await this.#store.remove(id, record.version);
      if (outcome === 'removed') return issued;
      await this.#store.remove(issued.session.id);
      if (outcome === 'gone') return 'gone';
    }
    throw new SessionConflict();
  }

  end(session: Session): Promise<void> {
    return this.#endId(requireStored(session).id);
  }

  async endToken(token: string, cookie?: string): Promise<void> {
    if (isSessionId(token)) await this.#endId(bindToCookie(token, cookie));
  }

  handleOf(session: Session): string {
    return handleOfId(requireStored(session).id);
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
    const { token, id, record, cookie } = requireStored(session);
    const [found, listed] = await Promise.all([this.#store.read(id), this.#store.listByUser(record.user)]);
    if (found === undefined) return 'gone';
    await this.#store.raiseEpoch(record.user, id);
    const kept = await this.#store.read(id);
    if (kept === undefined) return 'gone';
    const ended = listed.filter(({ handle }) => handle !== this.handleOf(session)).length;
    return { ended, issued: { token, session: new StoredSession(token, kept, cookie, id) } };
  }

  async endEveryone(): Promise<void> {
    await this.#store.clear();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Ends a session. If a rotation has just replaced it, ends its successor. */
  async #endId(id: string): Promise<void> {
    if ((await this.#store.remove(id)) !== 'gone') return;
    await this.#successors.end(id, (user, handle) => this.#store.removeByHandle(user, handle));
  }

  async #issue(
    record: NewSessionRecord,
    cookie: string | undefined,
    client: SessionClient | undefined,
    token = newSessionId(record.user),
  ) {
    const id = bindToCookie(token, cookie);
    const epochs = await this.#store.create(id, { ...record, client });
    return { token, session: new StoredSession(token, { ...record, epochs }, cookie, id) };
  }

  /** Touches the session. Undefined if it ended after the read. A store may answer reads and refuse writes (out of
   * memory, a replica). The session is still good then; a later request touches it. */
  async #touch(id: string, record: SessionRecord, idleUntilMs: number): Promise<SessionRecord | undefined> {
    try {
      return (await this.#store.touch(id, idleUntilMs)) ? { ...record, idleUntilMs } : undefined;
    } catch (error) {
      if (error instanceof StoreUnavailable) return record;
      throw error;
    }
  }

  /** Returns the next version, or `record` itself if the edit changed nothing. */
  #applyEdit(record: SessionRecord, edit: Edit, room?: Room): SessionRecord {
    const next = applyEdit(record.data, edit, this.#limits.dataBytesMax + (room === 'reserve' ? reserveBytes : 0));
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
    // Without the store, it opens no session.
    revocationLagCutOffMs: revocationLagMs,
    dataBytesMax,
    dataIn: 'store',
    roundTrips: addRead(roundTrips ?? (durability === 'process' ? { read: 0, write: 0 } : { read: 1, write: 1 })),
    clockBackMs: Number.POSITIVE_INFINITY,
  }),
  open: settings => new ReferenceStrategy(settings),
};
