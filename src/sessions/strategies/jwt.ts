import { randomBytes } from 'node:crypto';
import { StoreUnavailable } from '../errors.js';
import { RegisteredSessions, uncarriedEpochs } from '../registered-sessions.js';
import {
  applyEdit,
  computeDeadlines,
  digestOf,
  type Edit,
  handleOf,
  isSecret,
  type NoSession,
  newSecret,
  newSessionId,
  type Session,
  type SessionData,
  type SessionLimits,
  type SessionRecord,
  type SessionSummary,
  toPlainData,
} from '../session.js';
import type { EndedOthers, Issued, SessionStrategy, StrategyEntry, StrategySettings } from '../session-strategy.js';
import { AccessTokens } from './jwt/access-tokens.js';
import type { AccessClaims } from './jwt/claims.js';
import { hashOf, RefreshFamilies } from './jwt/refresh-families.js';

/** Maximum size of the data of a session. Each request carries the data, and each change carries it twice: in the
 * cookie and in Set-Cookie. */
const claimBytesMax = 1024;
const accessLifeMaxMs = 5 * 60_000;
/** Tolerated difference between the clocks of two backends. */
const toleranceMs = 5_000;
const jtiBytes = 16;

/** A session from a cookie, or for a cookie: `<access token>~<refresh token>`. */
class JwtSession implements Session {
  constructor(
    readonly token: string,
    readonly claims: AccessClaims,
    readonly record: SessionRecord,
  ) {}
}

/**
 * Strategy whose session travels in a signed token. The store keeps no data. It only lists the sessions, and keeps the
 * family of refresh tokens of each. It is used when an access token has expired, and when a session begins or ends.
 *
 * access token genuine, and issued with this refresh token? -> not revoked? -> in time: open
 *                                                                           -> late: exchange the refresh token
 */
class JwtStrategy implements SessionStrategy {
  readonly #registered: RegisteredSessions;
  readonly #limits: SessionLimits;
  readonly #now: () => number;
  readonly #tokens: AccessTokens;
  readonly #families: RefreshFamilies;
  readonly #lifeMs: number;
  readonly #dataBytesMax: number;

  constructor(settings: StrategySettings) {
    const { store, keys, limits, now } = settings;
    this.#registered = new RegisteredSessions(settings);
    this.#limits = limits;
    this.#now = now;
    this.#lifeMs = Math.min(accessLifeMaxMs, Math.floor(limits.idleMs / 3));
    this.#dataBytesMax = Math.min(claimBytesMax, limits.dataBytesMax);
    this.#tokens = new AccessTokens(keys, this.#lifeMs);
    this.#families = new RefreshFamilies(store, limits.idleMs, now);
  }

  async open(token: string | undefined): Promise<Session | NoSession> {
    if (token === undefined) return 'absent';
    const [access = '', refresh = '', ...more] = token.split('~');
    if (!isSecret(refresh) || more.length > 0) return 'malformed';
    const claims = this.#tokens.verify(access);
    if (typeof claims === 'string') return claims;
    if (claims.refreshHash !== hashOf(refresh)) return 'forged';
    const nowMs = this.#now();
    if (nowMs >= claims.record.absoluteUntilMs) return 'expired';
    if (this.#isRevoked(claims)) return 'revoked';
    const isEarly = nowMs < claims.notBeforeMs - toleranceMs;
    if (!isEarly && nowMs < claims.expiresAtMs) return toSession(token, claims);
    return this.#refresh(toSession(token, claims), refresh, nowMs);
  }

  async begin(user: string, data: SessionData, remember = false): Promise<Issued> {
    const { json } = toPlainData(data, this.#dataBytesMax);
    const deadlines = computeDeadlines(this.#limits, this.#now(), remember);
    return this.#createFamily({ user, version: 1, epochs: uncarriedEpochs, ...deadlines }, json);
  }

  /** Changes the data. Neither the time of issue nor the expiry moves: an edit does not extend a token. */
  async change(session: Session, edit: Edit): Promise<Issued | 'gone'> {
    const { token, claims, record } = requireJwtSession(session);
    if (this.#isOver(claims) || this.#isRevoked(claims)) return 'gone';
    const edited = applyEdit(record.data, edit, this.#dataBytesMax);
    if (edited === undefined) return { token, session };
    const [, refresh = ''] = token.split('~');
    const versioned = { ...claims.record, version: record.version + 1 };
    const next = { ...claims, jti: newJti(), dataJson: edited.json, record: versioned };
    return this.#issue(next, refresh);
  }

  async rotate(session: Session): Promise<Issued | 'gone'> {
    const { claims } = requireJwtSession(session);
    if (this.#isOver(claims) || this.#isRevoked(claims)) return 'gone';
    const issued = await this.#createFamily(claims.record, claims.dataJson);
    const { sid: next } = requireJwtSession(issued.session).claims;
    return (await this.#registered.supersede(claims.sid, next, claims.record.absoluteUntilMs)) ? issued : 'gone';
  }

  end(session: Session): Promise<void> {
    const { claims } = requireJwtSession(session);
    return this.#registered.end(claims.sid, claims.record.absoluteUntilMs);
  }

  handleOf(session: Session): string {
    return requireJwtSession(session).claims.handle;
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
    const { claims, token } = requireJwtSession(session);
    if (this.#isOver(claims) || this.#isRevoked(claims)) return 'gone';
    const ended = await this.#registered.endAll(claims.record.user, claims.handle);
    return { ended, issued: { token, session } };
  }

  endEveryone(): Promise<void> {
    return this.#registered.endEveryone();
  }

  close(): Promise<void> {
    return this.#registered.close();
  }

  /** Begins a family under a new id and issues its first pair of tokens. If the token cannot be issued, the session is
   * not registered. */
  async #createFamily(record: AccessClaims['record'], dataJson: string): Promise<Issued> {
    const [sid, refresh] = [newSessionId(record.user), newSecret()];
    const issued = await this.#issue(this.#claims(sid, record, dataJson, this.#now()), refresh);
    await this.#families.begin(sid, record, refresh);
    return issued;
  }

  /** Exchanges the refresh token. While the store is down, no token can be exchanged, but users stay logged in: the old
   * token is accepted within the tolerance. */
  async #refresh(session: JwtSession, refresh: string, nowMs: number): Promise<Session | NoSession> {
    const { claims } = session;
    const outcome = await this.#families.exchange(claims.sid, refresh).catch((error: unknown) => {
      const isNearlyInTime = nowMs < Math.min(claims.expiresAtMs + toleranceMs, claims.record.idleUntilMs);
      if (error instanceof StoreUnavailable && isNearlyInTime) return 'in-time' as const;
      throw error;
    });
    if (outcome === 'in-time') return session;
    if (outcome === 'unknown') return nowMs >= claims.record.idleUntilMs ? 'expired' : 'unknown';
    if (outcome === 'reused') {
      await this.end(session);
      return 'revoked';
    }
    const record = { ...claims.record, idleUntilMs: outcome.idleUntilMs };
    const issued = await this.#issue(this.#claims(claims.sid, record, claims.dataJson, nowMs), outcome.refresh);
    return issued.session;
  }

  #claims(
    sid: string,
    record: AccessClaims['record'],
    dataJson: string,
    issuedAtMs: number,
  ): Omit<AccessClaims, 'refreshHash'> {
    const expiresAtMs = Math.min(issuedAtMs + this.#lifeMs, record.absoluteUntilMs);
    const handle = handleOf(digestOf(sid));
    return { sid, handle, jti: newJti(), issuedAtMs, notBeforeMs: issuedAtMs, expiresAtMs, record, dataJson };
  }

  async #issue(unbound: Omit<AccessClaims, 'refreshHash'>, refresh: string): Promise<Issued> {
    const claims = { ...unbound, refreshHash: hashOf(refresh) };
    const token = `${await this.#tokens.sign(claims)}~${refresh}`;
    return { token, session: toSession(token, claims) };
  }

  #isOver({ record }: AccessClaims): boolean {
    return this.#now() >= Math.min(record.idleUntilMs, record.absoluteUntilMs);
  }

  #isRevoked({ handle, record }: AccessClaims): boolean {
    return this.#registered.isRevoked(handle, record);
  }
}

function toSession(token: string, claims: AccessClaims): JwtSession {
  return new JwtSession(token, claims, { ...claims.record, data: JSON.parse(claims.dataJson) });
}

function requireJwtSession(session: Session): JwtSession {
  if (session instanceof JwtSession) return session;
  throw new TypeError('this session was opened by another strategy');
}

function newJti(): string {
  return randomBytes(jtiBytes).toString('base64url');
}

export const jwt: StrategyEntry = {
  needsFeed: true,
  capabilities: () => ({
    compareAndSet: false,
    durability: 'browser',
    // After that time the refresh token is exchanged, and the empty store does not know it.
    withoutStoreMs: accessLifeMaxMs,
    revocationLagMs: 1_000,
    dataBytesMax: claimBytesMax,
    dataIn: 'browser',
    roundTrips: { read: 0, write: 0 },
    clockBackMs: Number.POSITIVE_INFINITY,
  }),
  open: settings => new JwtStrategy(settings),
};
