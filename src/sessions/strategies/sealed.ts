import { parseJson } from '../../shared/text.js';
import type { SessionClient } from '../client.js';
import { cookieBytesMax, cookieName } from '../cookie.js';
import { SessionTooLarge } from '../errors.js';
import { RecentTokens } from '../outdated-tokens.js';
import { RegisteredSessions, revocationLagMs } from '../registered-sessions.js';
import { seal, sealedCharsAtMost, unseal } from '../seal.js';
import {
  applyEdit,
  clockToleranceMs,
  computeDeadlines,
  computeLateTouch,
  type Edit,
  handleOfId,
  limitsOf,
  type NewSessionRecord,
  type NoSession,
  newSessionId,
  type Room,
  reserveBytes,
  type Session,
  type SessionData,
  type SessionRecord,
  type SessionSummary,
  toPlainData,
} from '../session.js';
import type {
  BeginOptions,
  EndedOthers,
  Issued,
  SessionStrategy,
  StrategyEntry,
  StrategySettings,
} from '../session-strategy.js';

/** Size limits of a token: browsers may drop a cookie that is longer, with any key and any name. */
const charsMax: Readonly<Record<Room, number>> = {
  reserve: cookieBytesMax - cookieName(true).length,
  ordinary: cookieBytesMax - cookieName(true).length - Math.ceil((reserveBytes * 4) / 3),
};

/** A clock of another backend may be a minute ahead: then its tokens seem to come from the future. */
const aheadMsMax = 60_000 + clockToleranceMs;

/** A session from a cookie, or for a cookie. */
class SealedSession implements Session {
  readonly record: SessionRecord;

  constructor(
    readonly token: string,
    readonly payload: Payload,
    /** The name of the cookie. It is the purpose of the key, so the token is worth nothing under another name. */
    readonly cookie: string,
  ) {
    this.record = payload.record;
  }
}

/**
 * Strategy whose session travels in an encrypted token. Only the backends can read or make it. Opening and changing a
 * session uses no store. The store only lists the sessions; it is used when one begins or ends.
 *
 * genuine? -> not from the future? -> within its deadlines? -> not revoked? -> sealed again where due: open
 *
 * The price: the last response that reaches the browser wins. Of two concurrent requests, one may restore a token
 * without the change of the other. The capabilities declare this. A renewal does so only if another backend made the
 * change: this backend knows the newest token of a session for a short time, and renewals are rare.
 */
class SealedStrategy implements SessionStrategy {
  readonly #settings: StrategySettings;
  readonly #registered: RegisteredSessions;
  readonly #recent: RecentTokens<SealedSession>;

  constructor(settings: StrategySettings) {
    this.#settings = settings;
    this.#registered = new RegisteredSessions(settings);
    this.#recent = new RecentTokens(settings.now);
  }

  get counts(): Record<string, number> {
    return this.#registered.counts;
  }

  async open(token: string | undefined, cookie = cookieName(false)): Promise<Session | NoSession> {
    if (token === undefined) return 'absent';
    const [newest] = this.#settings.keys();
    const unsealed = unseal(this.#settings.keys(), cookie, token);
    if (typeof unsealed === 'string') return unsealed;
    const payload = parsePayload(unsealed.text);
    if (payload === undefined) return 'malformed';
    if (payload.issuedAtMs > this.#settings.now() + aheadMsMax) return 'forged';
    if (this.#isOver(payload)) return 'expired';
    if (this.#registered.isRevokedAtOpen(payload)) return 'revoked';
    return this.#renewWhenDue(new SealedSession(token, payload, cookie), unsealed.keyId !== newest?.id);
  }

  async begin(user: string, data: SessionData, options: BeginOptions = {}): Promise<Issued> {
    const { cookie = cookieName(false), remember, client } = options;
    const { limits, now } = this.#settings;
    const plain = toPlainData(data, limits.dataBytesMax);
    const record = { user, data: plain.data, version: 1, ...computeDeadlines(limits, now(), remember) };
    assertFits(record, charsMax.ordinary);
    const sid = newSessionId(user);
    const epochs = await this.#registered.register(sid, buildEntry(record, { client }));
    return toIssued(this.#sealSession(sid, { ...record, epochs }, cookie));
  }

  /**
   * Changes the data. The idle deadline stays: only a touch in `open` moves it, together with the one in the registry.
   */
  async change(session: Session, edit: Edit, room: Room = 'ordinary'): Promise<Issued | 'gone'> {
    const { payload, token, cookie } = requireSealed(session);
    if (this.#hasEnded(payload)) return 'gone';
    const { sid, record } = payload;
    const edited = applyEdit(
      record.data,
      edit,
      this.#settings.limits.dataBytesMax + (room === 'reserve' ? reserveBytes : 0),
    );
    if (edited === undefined) return { token, session };
    const next = { ...record, data: edited.data, version: record.version + 1 };
    assertFits(next, Math.max(countCharsMax(record), charsMax[room]));
    const changed = this.#sealSession(sid, next, cookie);
    this.#recent.keep(sid, changed);
    return toIssued(changed);
  }

  async rotate(session: Session, client?: SessionClient): Promise<Issued | 'gone'> {
    const { payload, cookie } = requireSealed(session);
    if (this.#hasEnded(payload)) return 'gone';
    const { record } = payload;
    const sid = newSessionId(record.user);
    await this.#registered.prepareSuccessor(payload, sid, buildEntry(record, { epochs: record.epochs, client }));
    const relist = () => this.#settings.store.create(sid, buildEntry(record, { client }));
    const epochs = await this.#registered.supersede(payload, sid, relist);
    return epochs === 'gone' ? epochs : toIssued(this.#sealSession(sid, { ...record, epochs }, cookie));
  }

  end(session: Session): Promise<void> {
    return this.#registered.end(requireSealed(session).payload);
  }

  async endToken(token: string, cookie = cookieName(false)): Promise<void> {
    const unsealed = unseal(this.#settings.keys(), cookie, token);
    const payload = typeof unsealed === 'string' ? undefined : parsePayload(unsealed.text);
    if (payload !== undefined && !this.#isOver(payload)) await this.#registered.end(payload);
  }

  handleOf(session: Session): string {
    return handleOfId(requireSealed(session).payload.sid);
  }

  list(user: string): Promise<readonly SessionSummary[]> {
    return this.#registered.list(user);
  }

  endOne(user: string, handle: string): Promise<boolean> {
    return this.#registered.endOne(user, handle);
  }

  endAll(user: string): Promise<number> {
    return this.#registered.endAll(user);
  }

  async endOthers(session: Session): Promise<EndedOthers | 'gone'> {
    const { payload, cookie } = requireSealed(session);
    if (this.#hasEnded(payload)) return 'gone';
    const { sid } = payload;
    const relist = () => this.#settings.store.create(sid, buildEntry(payload.record));
    const outcome = await this.#registered.endOthers(payload, relist);
    if (outcome === 'gone') return outcome;
    const { record } = this.#findNewer(payload) ?? payload;
    const kept = this.#sealSession(sid, { ...record, epochs: outcome.epochs }, cookie);
    this.#recent.keep(sid, kept);
    return { ended: outcome.ended, issued: toIssued(kept) };
  }

  endEveryone(): Promise<void> {
    return this.#registered.endEveryone();
  }

  /** Prefers a newer token that this backend made for a concurrent change: the browser may have it already. */
  confirmToken(session: Session): string | undefined {
    const { payload, token } = requireSealed(session);
    if (this.#registered.isRevoked(payload)) return undefined;
    return this.#findNewer(payload)?.token ?? token;
  }

  feedAgeMs(): number | undefined {
    return this.#registered.feedAgeMs();
  }

  close(): Promise<void> {
    return this.#registered.close();
  }

  /** Renews late, and never while this backend knows newer data: so a renewal seldom takes back a change. */
  #renewWhenDue(session: SealedSession, hasOldKey: boolean): SealedSession {
    const { limits, now } = this.#settings;
    const { payload, cookie } = session;
    const { sid, record } = payload;
    if (this.#findNewer(payload) !== undefined) {
      this.#registered.count('olderData');
      return session;
    }
    const idleUntilMs = computeLateTouch(record, limits, now());
    if (idleUntilMs === undefined && !hasOldKey) return session;
    const renewed = { ...record, idleUntilMs: idleUntilMs ?? record.idleUntilMs };
    // The registry is updated in the background and may be down: the session is valid without it.
    if (idleUntilMs !== undefined) {
      const relist = () => this.#settings.store.create(sid, buildEntry(renewed));
      this.#registered.touch(payload, idleUntilMs, relist).catch(() => undefined);
    }
    return this.#sealSession(sid, renewed, cookie);
  }

  #findNewer({ sid, record }: Payload): SealedSession | undefined {
    return this.#recent.findNewer(sid, record);
  }

  #sealSession(sid: string, record: SessionRecord, cookie: string): SealedSession {
    const payload = { sid, issuedAtMs: this.#settings.now(), record };
    return new SealedSession(seal(this.#settings.keys(), cookie, payloadText(payload)), payload, cookie);
  }

  #hasEnded(payload: Payload): boolean {
    return this.#isOver(payload) || this.#registered.isRevoked(payload);
  }

  /** True when a deadline has passed. The present absolute limit counts too, because a revocation is kept only that
   * long, and a session must not outlive its revocation. */
  #isOver({ record }: Payload): boolean {
    const { limits, now } = this.#settings;
    const capMs = record.createdAtMs + limitsOf(record, limits).absoluteMs;
    return now() >= Math.min(record.idleUntilMs, record.absoluteUntilMs, capMs);
  }
}

function requireSealed(session: Session): SealedSession {
  if (session instanceof SealedSession) return session;
  throw new TypeError('this session was opened by another strategy');
}

function toIssued(session: SealedSession): Issued {
  return { token: session.token, session };
}

/** Throws `SessionTooLarge` for a token of more than `max` characters. An edit that makes a session no larger fits. */
function assertFits(record: Pick<SessionRecord, 'user' | 'data'>, max: number): void {
  const name = cookieName(true).length;
  const chars = countCharsMax(record);
  if (chars > max) throw new SessionTooLarge(name + chars, name + max, undefined, 'the sealed cookie');
}

function countCharsMax({ user, data }: Pick<SessionRecord, 'user' | 'data'>): number {
  return sealedCharsAtMost(countPayloadBytesMax(user, JSON.stringify(data)));
}

/** Builds the entry in the list of sessions. Without epochs, it gets the present ones. */
function buildEntry(
  record: NewSessionRecord,
  { epochs, client }: Pick<NewSessionRecord, 'epochs' | 'client'> = {},
): NewSessionRecord {
  return { ...record, data: {}, version: 1, epochs, client };
}

export const sealed: StrategyEntry = {
  needsFeed: true,
  capabilities: (_store, feedAgeMaxMs = Number.POSITIVE_INFINITY) => ({
    compareAndSet: false,
    durability: 'browser',
    withoutStoreMs: Number.POSITIVE_INFINITY,
    revocationLagMs,
    revocationLagCutOffMs: feedAgeMaxMs,
    dataBytesMax: 2_528,
    dataIn: 'browser',
    roundTrips: { read: 0, write: 0 },
    clockBackMs: aheadMsMax,
  }),
  open: settings => new SealedStrategy(settings),
};

/** The content of a sealed token. */
interface Payload {
  /** The id of the session in all its tokens, in the registry and in revocations. It is not the token. */
  readonly sid: string;
  /** Time at which this token was sealed. */
  readonly issuedAtMs: number;
  readonly record: SessionRecord;
}

/**
 * Maximum size of all but the user and the data, in bytes: 13 digits until the year 2286 for a time and for each epoch,
 * 10 digits for each duration (115 days) and the version, a session id in quotes, and brackets and commas. It is a
 * maximum, so that a token cannot outgrow its limit later.
 */
const fixedBytesMax = 3 * 13 + 4 * 10 + 61 + 11;

/** Returns the maximum size of a payload with this user and data, in bytes. */
function countPayloadBytesMax(user: string, dataJson: string): number {
  return fixedBytesMax + Buffer.byteLength(JSON.stringify(user)) + Buffer.byteLength(dataJson);
}

/** The payload as an array with durations, because every request carries each name and digit. */
type Fields = readonly [
  sid: string,
  user: string,
  createdAtMs: number,
  absoluteMs: number,
  idleMs: number,
  issuedMs: number,
  version: number,
  userEpoch: number,
  everyoneEpoch: number,
  data: SessionData,
];

const types = ['string', 'string', ...Array<string>(7).fill('number'), 'object'];

export function payloadText({ sid, issuedAtMs, record }: Payload): string {
  const { user, createdAtMs, absoluteUntilMs, idleUntilMs, version, epochs, data } = record;
  const [absoluteMs, idleMs, issuedMs] = [
    absoluteUntilMs - createdAtMs,
    idleUntilMs - createdAtMs,
    issuedAtMs - createdAtMs,
  ];
  const head = [sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version] as const;
  const fields: Fields = [...head, epochs.user, epochs.everyone, data];
  return JSON.stringify(fields);
}

/** Parses a payload. Undefined for the format of another version of this program. */
function parsePayload(text: string): Payload | undefined {
  const fields = parseJson(text);
  if (!isPayload(fields)) return undefined;
  const [sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version, userEpoch, everyoneEpoch, data] = fields;
  const [absoluteUntilMs, idleUntilMs] = [createdAtMs + absoluteMs, createdAtMs + idleMs];
  const epochs = { user: userEpoch, everyone: everyoneEpoch };
  const record = { user, data, version, createdAtMs, idleUntilMs, absoluteUntilMs, epochs };
  return { sid, issuedAtMs: createdAtMs + issuedMs, record };
}

function isPayload(value: unknown): value is Fields {
  if (!Array.isArray(value) || value.length !== types.length) return false;
  const data: unknown = value.at(-1);
  return value.every((field, at) => typeof field === types[at]) && data !== null && !Array.isArray(data);
}
