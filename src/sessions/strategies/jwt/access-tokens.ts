import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual, webcrypto } from 'node:crypto';
import { CompactSign } from 'jose';
import type { KeyRing } from '../../../shared/key-ring.js';
import { SessionTooLarge } from '../../errors.js';
import { findLargest } from '../../session.js';
import { type AccessClaims, claimsText, readClaims } from './claims.js';

export const tokenBytesMax = 2048;
const rememberedMax = 2000;

/** Pattern of a token. The last character of a signature carries four bits. If the other two were free, a token would
 * have four spellings. */
const shape = /^(([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/;

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
  /** Tokens that were verified recently. A token may have expired or been revoked since: the caller checks that each
   * time. */
  readonly #verified = new Map<string, Verified>();

  constructor(keys: () => KeyRing, lifeMs: number) {
    this.#keys = new SigningKeys(keys);
    this.#lifeMs = lifeMs;
  }

  /** Signs an access token. Rejects with `SessionTooLarge` if it would be longer than `tokenBytesMax`. */
  async sign(claims: AccessClaims): Promise<string> {
    const { header, key } = this.#keys.newest();
    const text = new TextEncoder().encode(claimsText(claims));
    const token = await new CompactSign(text).setProtectedHeader({ ...header }).sign(await key);
    if (token.length <= tokenBytesMax) return token;
    const parts = [
      ['sub', claims.record.user],
      ['data', claims.dataJson],
    ] as const;
    throw new SessionTooLarge(token.length, tokenBytesMax, findLargest(parts));
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
    const claims = readClaims(Buffer.from(payload, 'base64url').toString('utf8'), this.#lifeMs);
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

/** Checks an HS256 signature (RFC 7518 section 3.2). The header is known to be one of ours by now. It is done here
 * because every request pays for it: the library uses WebCrypto and its threads, at ten times the cost. */
function hasValidSignature(signature: string, signed: string, { secret }: SigningKey): boolean {
  return timingSafeEqual(Buffer.from(signature, 'base64url'), createHmac('sha256', secret).update(signed).digest());
}

/** Returns a copy. A substring of a request header would keep the whole header in memory. */
function copyText(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1');
}

type CryptoKey = webcrypto.CryptoKey;

/** The only algorithm, for signing and for verifying. It is never read from a token. */
const algorithm = 'HS256';
/** Type of an access token. RFC 9068 gives it a type of its own, so that no other signed text is accepted as one. */
const tokenType = 'at+jwt';

const keyBytes = 32;
/**
 * Purpose of the signing keys. The keys that seal have another purpose, so that neither accepts the text of the other.
 */
const purpose = 'holdfast:jwt:access';

interface Header {
  readonly alg: typeof algorithm;
  readonly kid: string;
  readonly typ: typeof tokenType;
}

interface SigningKey {
  readonly header: Header;
  /** Key for verifying. */
  readonly secret: KeyObject;
  /** The same key for signing. It is imported once: jose would import it again for every token, at twice the cost of
   * signing. */
  readonly key: Promise<CryptoKey>;
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
      this.#byHeader = new Map(ring.map(deriveSigningKey).map(key => [encodeHeader(key.header), key]));
      this.#ring = ring;
    }
    return this.#byHeader;
  }
}

function deriveSigningKey({ id, secret }: KeyRing[number]): SigningKey {
  const bytes = hkdfSync('sha256', secret, '', purpose, keyBytes);
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  return {
    header: { alg: algorithm, kid: id, typ: tokenType },
    secret: createSecretKey(Buffer.from(bytes)),
    key: webcrypto.subtle.importKey('raw', bytes, hmac, false, ['sign', 'verify']),
  };
}

/** Encodes a header as jose does: the members in this order, without spaces. */
function encodeHeader(header: Header): string {
  return Buffer.from(JSON.stringify(header)).toString('base64url');
}
