import { cookieBytesMax, cookieName } from '../cookie.js';
import { SessionTooLarge } from '../errors.js';
import { RegisteredSessions, uncarriedEpochs } from '../registered-sessions.js';
import { seal, sealedCharsAtMost, unseal } from '../seal.js';
import {
  applyEdit,
  computeDeadlines,
  computeTouchedIdleUntilMs,
  digestOf,
  type Edit,
  handleOf,
  type NewSessionRecord,
  type NoSession,
  newSessionId,
  type Session,
  type SessionData,
  type SessionRecord,
  type SessionSummary,
  toPlainData,
} from '../session.js';
import type { EndedOthers, Issued, SessionStrategy, StrategyEntry, StrategySettings } from '../session-strategy.js';

const purpose = 'session';
/** Tolerated difference between the clocks of two backends. */
const toleranceMs = 5_000;

/** A session from a cookie, or for a cookie. */
class SealedSession implements Session {
  readonly record: SessionRecord;

  constructor(
    readonly token: string,
    readonly payload: Payload,
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
 * without the change of the other. The capabilities declare this.
 */
class SealedStrategy implements SessionStrategy {
  readonly #settings: StrategySettings;
  readonly #registered: RegisteredSessions;

  constructor(settings: StrategySettings) {
    this.#settings = settings;
    this.#registered = new RegisteredSessions(settings);
  }

  async open(token: string | undefined): Promise<Session | NoSession> {
    if (token === undefined) return 'absent';
    const [newest] = this.#settings.keys();
    const unsealed = unseal(this.#settings.keys(), purpose, token);
    if (typeof unsealed === 'string') return unsealed;
    const payload = parsePayload(unsealed.text);
    if (payload === undefined) return 'malformed';
    if (payload.issuedAtMs > this.#settings.now() + toleranceMs) return 'forged';
    if (this.#isOver(payload)) return 'expired';
    if (this.#isRevoked(payload)) return 'revoked';
    return this.#renewWhenDue(new SealedSession(token, payload), unsealed.keyId !== newest?.id);
  }

  async begin(user: string, data: SessionData, remember = false): Promise<Issued> {
    const { limits, now } = this.#settings;
    const plain = toPlainData(data, limits.dataBytesMax);
    const deadlines = computeDeadlines(limits, now(), remember);
    return this.#createSession({ user, data: plain.data, version: 1, epochs: uncarriedEpochs, ...deadlines });
  }

  /**
   * Changes the data. The idle deadline stays: only a touch in `open` moves it, together with the one in the registry.
   */
  async change(session: Session, edit: Edit): Promise<Issued | 'gone'> {
    const { payload, token } = requireSealed(session);
    if (this.#isOver(payload) || this.#isRevoked(payload)) return 'gone';
    const { sid, record } = payload;
    const edited = applyEdit(record.data, edit, this.#settings.limits.dataBytesMax);
    if (edited === undefined) return { token, session };
    return toIssued(this.#sealSession(sid, { ...record, data: edited.data, version: record.version + 1 }));
  }

  async rotate(session: Session): Promise<Issued | 'gone'> {
    const { payload } = requireSealed(session);
    if (this.#isOver(payload) || this.#isRevoked(payload)) return 'gone';
    const { sid, record } = payload;
    const successor = await this.#createSession(record);
    const { sid: next } = requireSealed(successor.session).payload;
    return (await this.#registered.supersede(sid, next, record.absoluteUntilMs)) ? successor : 'gone';
  }

  end(session: Session): Promise<void> {
    const { sid, record } = requireSealed(session).payload;
    return this.#registered.end(sid, record.absoluteUntilMs);
  }

  handleOf(session: Session): string {
    return handleOf(digestOf(requireSealed(session).payload.sid));
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
    const { payload, token } = requireSealed(session);
    if (this.#isOver(payload) || this.#isRevoked(payload)) return 'gone';
    const ended = await this.#registered.endAll(payload.record.user, this.handleOf(session));
    return { ended, issued: { token, session } };
  }

  endEveryone(): Promise<void> {
    return this.#registered.endEveryone();
  }

  close(): Promise<void> {
    return this.#registered.close();
  }

  async #createSession(record: SessionRecord): Promise<Issued> {
    const sid = newSessionId(record.user);
    const session = this.#sealSession(sid, record);
    await this.#settings.store.create(sid, registryRecord(record));
    return toIssued(session);
  }

  #renewWhenDue(session: SealedSession, hasOldKey: boolean): SealedSession {
    const { limits, now } = this.#settings;
    const { sid, record } = session.payload;
    const idleUntilMs = computeTouchedIdleUntilMs(record, limits, now());
    if (idleUntilMs === undefined && !hasOldKey) return session;
    const renewed = { ...record, idleUntilMs: idleUntilMs ?? record.idleUntilMs };
    // The registry is updated in the background and may be down: the session is valid without it.
    if (idleUntilMs !== undefined) this.#touchRegistry(sid, renewed).catch(() => undefined);
    return this.#sealSession(sid, renewed);
  }

  /** Touches the entry in the registry. If the store came back empty, this lists the session again, so that it can be
   * found and ended. */
  async #touchRegistry(sid: string, record: SessionRecord): Promise<void> {
    const { store } = this.#settings;
    if (!(await store.touch(sid, record.idleUntilMs))) await store.create(sid, registryRecord(record));
  }

  /** Seals a session. Throws `SessionTooLarge` for a cookie that some browser may drop, with any key and any prefix. */
  #sealSession(sid: string, record: SessionRecord): SealedSession {
    const chars = sealedCharsAtMost(payloadBytesMax(record.user, JSON.stringify(record.data)));
    const bytes = cookieName(true).length + chars;
    if (bytes > cookieBytesMax) throw new SessionTooLarge(bytes, cookieBytesMax, undefined, 'the sealed cookie');
    const payload = { sid, issuedAtMs: this.#settings.now(), record };
    return new SealedSession(seal(this.#settings.keys(), purpose, payloadText(payload)), payload);
  }

  /** True when a deadline has passed. The present absolute limit counts too, because a revocation is kept only that
   * long, and a session must not outlive its revocation. */
  #isOver({ record }: Payload): boolean {
    const { limits, now } = this.#settings;
    const capMs = record.createdAtMs + limits.absoluteMs;
    return now() >= Math.min(record.idleUntilMs, record.absoluteUntilMs, capMs);
  }

  #isRevoked({ sid, record }: Payload): boolean {
    return this.#registered.isRevoked(handleOf(digestOf(sid)), record);
  }
}

function requireSealed(session: Session): SealedSession {
  if (session instanceof SealedSession) return session;
  throw new TypeError('this session was opened by another strategy');
}

function toIssued(session: SealedSession): Issued {
  return { token: session.token, session };
}

function registryRecord(record: SessionRecord): NewSessionRecord {
  return { ...record, data: {}, version: 1, epochs: undefined };
}

export const sealed: StrategyEntry = {
  needsFeed: true,
  capabilities: () => ({
    compareAndSet: false,
    durability: 'browser',
    withoutStoreMs: Number.POSITIVE_INFINITY,
    revocationLagMs: 1_000,
    dataBytesMax: 2_816,
    dataIn: 'browser',
    roundTrips: { read: 0, write: 0 },
    clockBackMs: toleranceMs,
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
 * Maximum size of the numbers of a payload, in bytes: 13 digits until the year 2286, 10 digits for each duration (115
 * days) and the version, a session id in quotes, and brackets and commas. It is a maximum, so that a token cannot
 * outgrow its limit later.
 */
const fixedBytesMax = 13 + 4 * 10 + 61 + 9;

/** Returns the maximum size of a payload with this user and data, in bytes. */
function payloadBytesMax(user: string, dataJson: string): number {
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
  data: SessionData,
];

const types = ['string', 'string', 'number', 'number', 'number', 'number', 'number', 'object'];

export function payloadText({ sid, issuedAtMs, record }: Payload): string {
  const { user, createdAtMs, absoluteUntilMs, idleUntilMs, version, data } = record;
  const [absoluteMs, idleMs, issuedMs] = [
    absoluteUntilMs - createdAtMs,
    idleUntilMs - createdAtMs,
    issuedAtMs - createdAtMs,
  ];
  const fields: Fields = [sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version, data];
  return JSON.stringify(fields);
}

/** Parses a payload. Undefined for the format of another version of this program. */
function parsePayload(text: string): Payload | undefined {
  const fields = parseJson(text);
  if (!isPayload(fields)) return undefined;
  const [sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version, data] = fields;
  const [absoluteUntilMs, idleUntilMs] = [createdAtMs + absoluteMs, createdAtMs + idleMs];
  const record = { user, data, version, createdAtMs, idleUntilMs, absoluteUntilMs, epochs: uncarriedEpochs };
  return { sid, issuedAtMs: createdAtMs + issuedMs, record };
}

function isPayload(value: unknown): value is Fields {
  if (!Array.isArray(value) || value.length !== types.length) return false;
  const data: unknown = value.at(-1);
  return value.every((field, at) => typeof field === types[at]) && data !== null && !Array.isArray(data);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
