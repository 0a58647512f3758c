import { SessionConflict, SessionTooLarge, StoreUnavailable } from '../errors.js';
import type { NoSession, Session, SessionData, SessionLimits, SessionRecord, SessionSummary } from '../session.js';
import { digestOf, handleOf, isSessionId, newSessionId } from '../session-id.js';
import type { SessionStore } from '../session-store.js';
import type { Issued, SessionStrategy, StrategyEntry, StrategySettings } from '../session-strategy.js';

const triesMax = 5;
const touchIntervalMinMs = 30_000;
const endAllRoundsMax = 100;

/** The token is a random id into a store. */
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
    const createdAtMs = this.#now();
    const absoluteUntilMs = createdAtMs + this.#limits.absoluteMs;
    const idleUntilMs = Math.min(createdAtMs + this.#limits.idleMs, absoluteUntilMs);
    const { data: plain } = this.#plain(data);
    return this.#issue({ user, data: plain, version: 1, createdAtMs, idleUntilMs, absoluteUntilMs });
  }

  async change({ token, record }: Session, edit: (data: SessionData) => void): Promise<Issued | 'gone'> {
    let current: SessionRecord | undefined = record;
    for (let tries = 0; tries < triesMax && current !== undefined; tries++) {
      const next = this.#edited(current, edit);
      const outcome = next === current ? 'saved' : await this.#store.replace(token, next);
      if (outcome === 'saved') return { token, session: { token, record: next } };
      if (outcome === 'gone') return 'gone';
      current = await this.#store.read(token);
    }
    if (current === undefined) return 'gone';
    throw new SessionConflict();
  }

  /**
   * The successor exists before the old one is removed, but nobody knows its token until that has succeeded for the
   * very version that was copied. So a change or a logout in between wins, and is neither lost nor undone.
   */
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

  handleOf({ token }: Session): string {
    return handleOf(digestOf(token));
  }

  list(user: string): Promise<readonly SessionSummary[]> {
    return this.#store.listByUser(user);
  }

  endOne(user: string, handle: string): Promise<boolean> {
    return this.#store.removeByHandle(user, handle);
  }

  /** Again until the list is empty: it may be longer than what is listed at once. */
  async endAll(user: string, except?: string): Promise<number> {
    let ended = 0;
    for (let rounds = 0; rounds < endAllRoundsMax; rounds++) {
      const listed = await this.#store.listByUser(user);
      const handles = listed.map(({ handle }) => handle).filter(handle => handle !== except);
      if (handles.length === 0) return ended;
      const removed = await Promise.all(handles.map(handle => this.#store.removeByHandle(user, handle)));
      ended += removed.filter(Boolean).length;
    }
    throw new SessionConflict();
  }

  endEveryone(): Promise<void> {
    return this.#store.clear();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #issue(record: SessionRecord): Promise<Issued> {
    const token = newSessionId();
    await this.#store.create(token, record);
    return { token, session: { token, record } };
  }

  /** Undefined when the session ended between the read and the touch. A store that gives and does not take (no memory
   * left, a replica) has still given the session; a later request will touch it. */
  async #touchWhenDue(token: string, record: SessionRecord): Promise<SessionRecord | undefined> {
    const idleUntilMs = Math.min(this.#now() + this.#limits.idleMs, record.absoluteUntilMs);
    const gainMs = idleUntilMs - record.idleUntilMs;
    // The last touch gains less than an interval, and without it an active session would end that much too early.
    const isLast = idleUntilMs === record.absoluteUntilMs && gainMs > 0;
    if (gainMs < touchIntervalMs(this.#limits.idleMs) && !isLast) return record;
    try {
      return (await this.#store.touch(token, idleUntilMs)) ? { ...record, idleUntilMs } : undefined;
    } catch (error) {
      if (error instanceof StoreUnavailable) return record;
      throw error;
    }
  }

  /** The next version, or `record` itself when the edit changed nothing. */
  #edited(record: SessionRecord, edit: (data: SessionData) => void): SessionRecord {
    const before = JSON.stringify(record.data);
    const draft: SessionData = JSON.parse(before);
    edit(draft);
    const { json, data } = this.#plain(draft);
    return json === before ? record : { ...record, data, version: record.version + 1 };
  }

  /** What a store would give back for `data`: a copy, and only what JSON can say. */
  #plain(data: SessionData): { json: string; data: SessionData } {
    const json = JSON.stringify(data);
    const bytes = Buffer.byteLength(json);
    if (bytes > this.#limits.dataBytesMax) throw new SessionTooLarge(bytes, this.#limits.dataBytesMax);
    return { json, data: JSON.parse(json) };
  }
}

/** Rarely enough to cost nothing, often enough that an active user never runs out, however short the idle limit is. */
function touchIntervalMs(idleMs: number): number {
  return Math.min(Math.max(touchIntervalMinMs, idleMs / 10), idleMs / 2);
}

export const reference: StrategyEntry = {
  needsFeed: false,
  open: settings => new ReferenceStrategy(settings),
};
