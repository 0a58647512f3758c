import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from '../../../shared/key-ring.js';
import { copyText } from '../../../shared/text.js';
import { SessionTooLarge } from '../../errors.js';
import { findLargest, type Room, reserveBytes } from '../../session.js';
import type { TokenNames } from '../../session-strategy.js';
import { type AccessClaims, claimsText, readClaims } from './claims.js';

export const tokenBytesMax = 2_688;
const bytesMax: Readonly<Record<Room, number>> = {
  reserve: tokenBytesMax,
  ordinary: tokenBytesMax - Math.ceil((reserveBytes * 4) / 3),
};
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
