import type { Epochs } from '../../epochs.js';
import { digestOf, handleOf, isSessionId, type Json, type SessionData, type SessionRecord } from '../../session.js';
import type { TokenNames } from '../../session-strategy.js';

/** The claims of an access token. */
export interface AccessClaims {
  /** The name of the cookie that carries the token. */
  readonly cookie: string;
  readonly sid: string;
  /** The name of `sid` in lists of sessions and in revocations. */
  readonly handle: string;
  readonly jti: string;
  readonly issuedAtMs: number;
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
  /**
   * Hash of the refresh token that was issued with this token. The two parts of a cookie cannot be combined otherwise.
   */
  readonly refreshHash: string;
  readonly record: Omit<SessionRecord, 'data'>;
  /** The data as text, so that callers cannot change a remembered token. */
  readonly dataJson: string;
}

/** The claims as JSON. `iat`, `exp` and `nbf` count seconds, with thousandths (RFC 7519 section 2 allows them). Without
 * thousandths, a token could be refused just after it was issued. Our own claims count milliseconds. */
interface ClaimsJson {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly sid: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  readonly refresh: string;
  readonly version: number;
  readonly created: number;
  readonly absolute: number;
  readonly idle: number;
  /** The epoch of the user, and of everyone. */
  readonly epochs: readonly [user: number, everyone: number];
  readonly data: SessionData;
}

/** Every required claim with its check. */
const checks: Readonly<Record<keyof ClaimsJson, (value: unknown) => boolean>> = {
  iss: isText,
  aud: isText,
  sub: isText,
  sid: value => isText(value) && isSessionId(value),
  jti: isText,
  iat: Number.isFinite,
  exp: Number.isFinite,
  refresh: isText,
  version: Number.isSafeInteger,
  created: Number.isFinite,
  absolute: Number.isFinite,
  idle: Number.isFinite,
  epochs: value => Array.isArray(value) && value.length === 2 && value.every(Number.isSafeInteger),
  data: isObject,
};

export function claimsText(claims: AccessClaims, { issuer = 'holdfast', audience = 'holdfast' }: TokenNames): string {
  const { sid, jti, issuedAtMs, expiresAtMs, refreshHash, record, dataJson } = claims;
  const { user, everyone }: Epochs = record.epochs;
  const json: Omit<ClaimsJson, 'data'> = {
    iss: issuer,
    aud: `${audience}:${claims.cookie}`,
    sub: record.user,
    sid,
    jti,
    iat: issuedAtMs / 1000,
    exp: expiresAtMs / 1000,
    refresh: refreshHash,
    version: record.version,
    created: record.createdAtMs,
    absolute: record.absoluteUntilMs,
    idle: record.idleUntilMs,
    epochs: [user, everyone],
  };
  return `${JSON.stringify(json).slice(0, -1)},"data":${dataJson}}`;
}

/** Parses claims. Undefined if a claim is missing or wrong, or if the token would live longer than `lifeMs`. */
export function readClaims(text: string, lifeMs: number, names: TokenNames): AccessClaims | undefined {
  const claims = parseJson(text);
  if (!isClaimsJson(claims)) return undefined;
  const cookie = cookieIn(claims, names);
  if (cookie === undefined) return undefined;
  const { nbf = claims.iat } = claims;
  const [issuedAtMs, expiresAtMs, notBeforeMs] = [claims.iat, claims.exp, nbf].map(toMs);
  if (issuedAtMs === undefined || expiresAtMs === undefined || notBeforeMs === undefined) return undefined;
  if (!(expiresAtMs > issuedAtMs && expiresAtMs - issuedAtMs <= lifeMs)) return undefined;
  const [user, everyone] = claims.epochs;
  return {
    cookie,
    sid: claims.sid,
    handle: handleOf(digestOf(claims.sid)),
    jti: claims.jti,
    issuedAtMs,
    notBeforeMs: Math.max(notBeforeMs, issuedAtMs),
    expiresAtMs,
    refreshHash: claims.refresh,
    record: {
      user: claims.sub,
      version: claims.version,
      createdAtMs: claims.created,
      idleUntilMs: claims.idle,
      absoluteUntilMs: claims.absolute,
      epochs: { user, everyone },
    },
    dataJson: JSON.stringify(claims.data),
  };
}

function isClaimsJson(value: unknown): value is ClaimsJson & { readonly nbf?: number } {
  if (!isObject(value)) return false;
  const claims = new Map(Object.entries(value));
  const fits = Object.entries(checks).every(([name, isRight]) => isRight(claims.get(name)));
  return fits && (!claims.has('nbf') || Number.isFinite(claims.get('nbf')));
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns the name of the cookie for which a token was issued. A token is accepted under its own name only: a token that
 * was seen over plain HTTP is worth nothing over TLS. Undefined for a token of another app. */
function cookieIn(
  { iss, aud }: ClaimsJson,
  { issuer = 'holdfast', audience = 'holdfast' }: TokenNames,
): string | undefined {
  return iss === issuer && aud.startsWith(`${audience}:`) ? aud.slice(audience.length + 1) : undefined;
}

function toMs(seconds: number): number {
  return Math.round(seconds * 1000);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
