import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from '../../../shared/key-ring.js';
import { copyText, parseJson } from '../../../shared/text.js';
import { SessionTooLarge } from '../../errors.js';
import {
  type Epochs,
  findLargest,
  handleOfId,
  isSessionId,
  type Room,
  reserveBytes,
  type SessionData,
  type SessionRecord,
} from '../../session.js';
import type { TokenNames } from '../../session-strategy.js';

export const tokenBytesMax = 2_688;
const bytesMax: Readonly<Record<Room, number>> = {
  reserve: tokenBytesMax,
  ordinary: tokenBytesMax - Math.ceil((reserveBytes * 4) / 3),
};
const rememberedMax = 2000;

/** Pattern of a token. The last character of a signature carries four bits. If the other two were free, a token would
 * have four spellings. */
const shape = /^(([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/;

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

interface Verified {
  readonly header: string;
  readonly key: SigningKey;
  readonly claims: AccessClaims;
}

/**
 * Access tokens: signed, short-lived, and readable by any holder.
 *
 * token -> shape -> header (one of ours, letter by letter) -> signature -> claims
 *
 * Nothing in a token chooses how it is verified. Its header must be exactly the text that we write for a key of the
 * ring. So no other algorithm, no embedded key (`jwk`, `jku`, `x5u`) and no extension is ever used.
 */
export class AccessTokens {
  readonly #keys: SigningKeys;
  readonly #lifeMs: number;
  readonly #names: TokenNames;
  /** Tokens that were verified recently. A token may have expired or been revoked since: the caller checks that each
   * time. */
  readonly #verified = new Map<string, Verified>();

  constructor(keys: () => KeyRing, lifeMs: number, names: TokenNames = {}) {
    this.#names = names;
    this.#keys = new SigningKeys(keys);
    this.#lifeMs = lifeMs;
  }

  /** Signs an access token. Throws `SessionTooLarge` if it would be longer than the room. */
  sign(claims: AccessClaims, room: Room): string {
    const { header, secret } = this.#keys.newest();
    const signed = `${header}.${Buffer.from(claimsText(claims, this.#names)).toString('base64url')}`;
    const token = `${signed}.${signatureOf(signed, secret).toString('base64url')}`;
    if (token.length <= bytesMax[room]) return token;
    const parts = [
      ['sub', claims.record.user],
      ['data', claims.dataJson],
    ] as const;
    throw new SessionTooLarge(token.length, bytesMax[room], findLargest(parts));
  }

  verify(token: string): AccessClaims | 'malformed' | 'forged' {
    const known = this.#verified.get(token);
    // Removing a key from the ring invalidates the tokens that it signed.
    if (known !== undefined && this.#keys.under(known.header) === known.key) return known.claims;
    if (token.length > tokenBytesMax) return 'malformed';
    const [, signed = '', header = '', payload = '', signature = ''] = shape.exec(token) ?? [];
    if (signed === '') return 'malformed';
    const key = this.#keys.under(header);
    if (key === undefined || !hasValidSignature(signature, signed, key)) return 'forged';
    const claims = readClaims(Buffer.from(payload, 'base64url').toString('utf8'), this.#lifeMs, this.#names);
    if (claims === undefined) return 'forged';
    this.#remember(token, { header, key, claims });
    return claims;
  }

  #remember(token: string, verified: Verified): void {
    const [oldest] = this.#verified.size < rememberedMax ? [] : this.#verified.keys();
    if (oldest !== undefined) this.#verified.delete(oldest);
    this.#verified.set(copyText(token), verified);
  }
}

/** Checks an HS256 signature (RFC 7518 section 3.2). The header is known to be one of ours by now. */
function hasValidSignature(signature: string, signed: string, { secret }: SigningKey): boolean {
  return timingSafeEqual(Buffer.from(signature, 'base64url'), signatureOf(signed, secret));
}

/** Signs and verifies with node:crypto, because every request pays for it. A library would use WebCrypto and its
 * threads, at ten times the cost (`bench/tokens.ts`). */
function signatureOf(signed: string, secret: KeyObject): Buffer {
  return createHmac('sha256', secret).update(signed).digest();
}

/** The only algorithm, for signing and for verifying. It is never read from a token. */
const algorithm = 'HS256';
/** Type of an access token. RFC 9068 gives it a type of its own, so that no other signed text is accepted as one. */
const tokenType = 'at+jwt';

const keyBytes = 32;
/**
 * Purpose of the signing keys. The keys that seal have another purpose, so that neither accepts the text of the other.
 */
const purpose = 'holdfast:jwt:access';

interface SigningKey {
  /** The header of a token, encoded. */
  readonly header: string;
  readonly secret: KeyObject;
}

/** The keys of the ring, by the header of a token. A header with any other spelling has no key. */
class SigningKeys {
  readonly #keys: () => KeyRing;
  #ring: KeyRing = [];
  #byHeader: ReadonlyMap<string, SigningKey> = new Map();

  constructor(keys: () => KeyRing) {
    this.#keys = keys;
  }

  newest(): SigningKey {
    const [newest] = this.#currentKeys().values();
    if (newest === undefined) throw new RangeError('cannot sign: the key ring is empty');
    return newest;
  }

  under(header: string): SigningKey | undefined {
    return this.#currentKeys().get(header);
  }

  #currentKeys(): ReadonlyMap<string, SigningKey> {
    const ring = this.#keys();
    if (ring !== this.#ring) {
      this.#byHeader = new Map(ring.map(deriveSigningKey).map(key => [key.header, key]));
      this.#ring = ring;
    }
    return this.#byHeader;
  }
}

function deriveSigningKey({ id, secret }: KeyRing[number]): SigningKey {
  const bytes = hkdfSync('sha256', secret, '', purpose, keyBytes);
  const header = JSON.stringify({ alg: algorithm, kid: id, typ: tokenType });
  return { header: Buffer.from(header).toString('base64url'), secret: createSecretKey(Buffer.from(bytes)) };
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

function claimsText(claims: AccessClaims, { issuer = 'holdfast', audience = 'holdfast' }: TokenNames): string {
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
function readClaims(text: string, lifeMs: number, names: TokenNames): AccessClaims | undefined {
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
    handle: handleOfId(claims.sid),
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
