import { randomBytes } from 'node:crypto';
import type { SessionClient } from '../client.js';
import { cookieName } from '../cookie.js';
import { StoreUnavailable } from '../errors.js';
import { RecentTokens } from '../outdated-tokens.js';
import { RegisteredSessions, revocationLagMs } from '../registered-sessions.js';
import {
  applyEdit,
  clockToleranceMs,
  computeDeadlines,
  type Edit,
  type Epochs,
  handleOfId,
  isSecret,
  type NoSession,
  newSecret,
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
import type { SessionStore } from '../session-store.js';
import type {
  BeginOptions,
  EndedOthers,
  Issued,
  SessionStrategy,
  StrategyEntry,
  StrategySettings,
} from '../session-strategy.js';
import { type AccessClaims, AccessTokens } from './jwt/access-tokens.js';
import { buildFamilyRecord, hashOf, RefreshFamilies } from './jwt/refresh-families.js';

/** Maximum size of the data of a session. Each request carries the data, and each change carries it twice: in the
 * cookie and in Set-Cookie. */
const claimBytesMax = 1024;
const accessLifeMaxMs = 5 * 60_000;
const jtiBytes = 16;

/** A session from a cookie, or for a cookie: `<access token>~<refresh token>`. */
class JwtSession implements Session {
  constructor(
    readonly token: string,
    readonly claims: AccessClaims,
    readonly record: SessionRecord,
  ) {}

  get refresh(): string {
    return this.token.slice(this.token.indexOf('~') + 1);
  }
}

/** Claims that are not bound to a refresh token yet. */
type Unbound = Omit<AccessClaims, 'refreshHash'>;

/**
 * Strategy whose session travels in a signed token. The store keeps no data. It only lists the sessions, and keeps the
 * family of refresh tokens of each. It is used when an access token has expired, and when a session begins or ends.
 *
 * access token genuine, and issued with this refresh token? -> not revoked? -> in time: open
 *                                                                           -> late: exchange the refresh token
 *
 * A token that is made on this backend has the newest data and the newest refresh token that this backend knows. So
 * parallel requests of one browser do not take back a change, and do not use a retired refresh token.
 */
class JwtStrategy implements SessionStrategy {
  readonly #store: SessionStore;
  readonly #registered: RegisteredSessions;
  readonly #recent: RecentTokens<JwtSession>;
  readonly #limits: SessionLimits;
  readonly #now: () => number;
  readonly #tokens: AccessTokens;
  readonly #families: RefreshFamilies;
  readonly #lifeMs: number;
  readonly #dataBytesMax: number;

  constructor(settings: StrategySettings) {
    const { store, keys, limits, now } = settings;
    this.#store = store;
    this.#registered = new RegisteredSessions(settings);
    this.#recent = new RecentTokens(now);
    this.#limits = limits;
    this.#now = now;
    this.#lifeMs = Math.min(accessLifeMaxMs, Math.floor(limits.idleMs / 3));
    this.#dataBytesMax = Math.min(claimBytesMax, limits.dataBytesMax);
    this.#tokens = new AccessTokens(keys, this.#lifeMs, settings.tokenNames);
    this.#families = new RefreshFamilies(store, limits, now);
  }

  get counts(): Record<string, number> {
    return this.#registered.counts;
  }

  async open(token: string | undefined, cookie = cookieName(false)): Promise<Session | NoSession> {
    if (token === undefined) return 'absent';
    const [access = '', refresh = '', ...more] = token.split('~');
    if (!isSecret(refresh) || more.length > 0) return 'malformed';
    const claims = this.#tokens.verify(access);
    if (typeof claims === 'string') return claims;
    if (claims.refreshHash !== hashOf(refresh) || claims.cookie !== cookie) return 'forged';
    const nowMs = this.#now();
    if (nowMs >= claims.record.absoluteUntilMs) return 'expired';
    if (this.#registered.isRevokedAtOpen(claims, claims.handle)) return 'revoked';
    if (this.#findNewer(claims) !== undefined) this.#registered.count('olderData');
    const isEarly = nowMs < claims.notBeforeMs - clockToleranceMs;
    if (!isEarly && nowMs < claims.expiresAtMs) return toSession(token, claims);
    return this.#refresh(toSession(token, claims), nowMs);
  }

  async begin(user: string, data: SessionData, options: BeginOptions = {}): Promise<Issued> {
    const { cookie = cookieName(false), remember, client } = options;
    const { json } = toPlainData(data, this.#dataBytesMax);
    const nowMs = this.#now();
    const record = { user, version: 1, ...computeDeadlines(this.#limits, nowMs, remember) };
    const [sid, refresh] = [newSessionId(user), newSecret()];
    const build = (epochs: Epochs) => this.#buildClaims(cookie, sid, { ...record, epochs }, json, nowMs);
    // Checks the size before the session is registered. Its epochs are about as large as the time.
    this.#issue(build({ user: nowMs, everyone: nowMs }), refresh, 'ordinary');
    const entry = buildFamilyRecord({ ...record, client }, refresh);
    return this.#issue(build(await this.#registered.register(sid, entry)), refresh);
  }

  /** Changes the data. Neither the time of issue nor the expiry moves: an edit does not extend a token. */
  async change(session: Session, edit: Edit, room: Room = 'ordinary'): Promise<Issued | 'gone'> {
    const own = requireJwtSession(session);
    const { token, claims, record } = own;
    if (this.#hasEnded(claims)) return 'gone';
    const bytesMax = this.#dataBytesMax + (room === 'reserve' ? reserveBytes : 0);
    const edited = applyEdit(record.data, edit, bytesMax);
    if (edited === undefined) return { token, session };
    const { claims: current, refresh } = this.#withNewestRefresh(own);
    const isNoLarger = Buffer.byteLength(edited.json) <= Buffer.byteLength(claims.dataJson);
    const versioned = { ...current.record, version: record.version + 1 };
    const next = { ...current, jti: newJti(), dataJson: edited.json, record: versioned };
    return this.#keepRecent(this.#issue(next, refresh, isNoLarger ? 'reserve' : room));
  }

  async rotate(session: Session, client?: SessionClient): Promise<Issued | 'gone'> {
    const { claims } = requireJwtSession(session);
    if (this.#hasEnded(claims)) return 'gone';
    const { cookie, record, dataJson } = claims;
    const [sid, refresh] = [newSessionId(record.user), newSecret()];
    await this.#registered.prepareSuccessor(
      claims,
      sid,
      buildFamilyRecord({ ...record, client }, refresh, record.epochs),
    );
    const relist = () => this.#store.create(sid, buildFamilyRecord({ ...record, client }, refresh));
    const epochs = await this.#registered.supersede(claims, sid, relist);
    if (epochs === 'gone') return epochs;
    return this.#issue(this.#buildClaims(cookie, sid, { ...record, epochs }, dataJson, this.#now()), refresh);
  }

  end(session: Session): Promise<void> {
    return this.#registered.end(requireJwtSession(session).claims);
  }

  async endToken(token: string, cookie = cookieName(false)): Promise<void> {
    const [access = '', refresh = ''] = token.split('~');
    const claims = this.#tokens.verify(access);
    if (typeof claims === 'string' || claims.cookie !== cookie || claims.refreshHash !== hashOf(refresh)) return;
    if (this.#now() < claims.record.absoluteUntilMs) await this.#registered.end(claims);
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
    const own = requireJwtSession(session);
    if (this.#hasEnded(own.claims)) return 'gone';
    const { sid, record } = own.claims;
    const relist = () => this.#store.create(sid, buildFamilyRecord(record, own.refresh));
    const outcome = await this.#registered.endOthers(own.claims, relist);
    if (outcome === 'gone') return outcome;
    const { claims, refresh } = this.#withNewestRefresh(this.#findNewer(own.claims) ?? own);
    const kept = { ...claims, jti: newJti(), record: { ...claims.record, epochs: outcome.epochs } };
    return { ended: outcome.ended, issued: this.#keepRecent(this.#issue(kept, refresh)) };
  }

  endEveryone(): Promise<void> {
    return this.#registered.endEveryone();
  }

  /** A request on this backend meanwhile may have made a token with newer data, or exchanged the refresh token. */
  confirmToken(session: Session): string | undefined {
    const own = requireJwtSession(session);
    if (this.#registered.isRevoked(own.claims, own.claims.handle)) return undefined;
    const newer = this.#findNewer(own.claims);
    if (newer !== undefined) return newer.token;
    const { claims, refresh } = this.#withNewestRefresh(own);
    return refresh === own.refresh ? own.token : this.#issue(claims, refresh).token;
  }

  feedAgeMs(): number | undefined {
    return this.#registered.feedAgeMs();
  }

  close(): Promise<void> {
    return this.#registered.close();
  }

  /** Exchanges the refresh token. While the store is down, no token can be exchanged, but users stay logged in: the old
   * token is accepted within the tolerance. */
  async #refresh(session: JwtSession, nowMs: number): Promise<Session | NoSession> {
    const { claims, refresh } = session;
    const outcome = await this.#families.exchange(claims.sid, refresh).catch((error: unknown) => {
      const isNearlyInTime = nowMs < Math.min(claims.expiresAtMs + clockToleranceMs, claims.record.idleUntilMs);
      if (error instanceof StoreUnavailable && isNearlyInTime) return 'in-time' as const;
      throw error;
    });
    if (outcome === 'in-time') return session;
    if (outcome === 'unknown') return nowMs >= claims.record.idleUntilMs ? 'expired' : 'unknown';
    if (outcome === 'reused') {
      await this.end(session);
      return 'revoked';
    }
    const { record, dataJson } = this.#findNewer(claims)?.claims ?? claims;
    const renewed = { ...record, idleUntilMs: outcome.idleUntilMs };
    const next = this.#buildClaims(claims.cookie, claims.sid, renewed, dataJson, nowMs);
    return this.#keepRecent(this.#issue(next, outcome.refresh)).session;
  }

  #buildClaims(
    cookie: string,
    sid: string,
    record: AccessClaims['record'],
    dataJson: string,
    issuedAtMs: number,
  ): Unbound {
    const expiresAtMs = Math.min(issuedAtMs + this.#lifeMs, record.absoluteUntilMs);
    const handle = handleOfId(sid);
    return { cookie, sid, handle, jti: newJti(), issuedAtMs, notBeforeMs: issuedAtMs, expiresAtMs, record, dataJson };
  }

  /** Issues a token. Only data that the session has already may use the reserve without being asked for. */
  #issue(unbound: Unbound, refresh: string, room: Room = 'reserve'): Issued & { readonly session: JwtSession } {
    const claims = { ...unbound, refreshHash: hashOf(refresh) };
    const token = `${this.#tokens.sign(claims, room)}~${refresh}`;
    return { token, session: toSession(token, claims) };
  }

  #keepRecent<Kept extends { readonly session: JwtSession }>(issued: Kept): Kept {
    this.#recent.keep(issued.session.claims.sid, issued.session);
    return issued;
  }

  #findNewer({ sid, record }: AccessClaims): JwtSession | undefined {
    return this.#recent.findNewer(sid, record);
  }

  /** Returns the claims of a session with the times of its newest exchange, and the refresh token of this exchange. */
  #withNewestRefresh({ claims, refresh }: JwtSession): { readonly claims: AccessClaims; readonly refresh: string } {
    const newest = this.#recent.find(claims.sid);
    if (newest === undefined || newest.claims.issuedAtMs <= claims.issuedAtMs) return { claims, refresh };
    const { issuedAtMs, notBeforeMs, expiresAtMs, record } = newest.claims;
    const touched = { ...claims.record, idleUntilMs: record.idleUntilMs };
    return {
      claims: { ...claims, issuedAtMs, notBeforeMs, expiresAtMs, record: touched },
      refresh: newest.refresh,
    };
  }

  #hasEnded(claims: AccessClaims): boolean {
    const { idleUntilMs, absoluteUntilMs } = claims.record;
    if (this.#now() >= Math.min(idleUntilMs, absoluteUntilMs)) return true;
    return this.#registered.isRevoked(claims, claims.handle);
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
  capabilities: (_store, feedAgeMaxMs = Number.POSITIVE_INFINITY) => ({
    compareAndSet: false,
    durability: 'browser',
    // After this time the browser must send its refresh token, which an empty store does not know.
    withoutStoreMs: accessLifeMaxMs,
    revocationLagMs,
    revocationLagCutOffMs: feedAgeMaxMs,
    dataBytesMax: claimBytesMax,
    dataIn: 'browser',
    roundTrips: { read: 0, write: 0 },
    clockBackMs: Number.POSITIVE_INFINITY,
  }),
  open: settings => new JwtStrategy(settings),
};
