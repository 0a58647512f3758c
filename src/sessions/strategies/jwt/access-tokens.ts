import { createHmac, timingSafeEqual } from 'node:crypto';
import { CompactSign } from 'jose';
import type { KeyRing } from '../../../key-ring.js';
import { SessionTooLarge } from '../../errors.js';
import { largestOf } from '../../plain-data.js';
import { type Claims, claimsText, readClaims } from './claims.js';
import { type SigningKey, SigningKeys } from './signing-keys.js';

export const tokenBytesMax = 2048;
const rememberedMax = 2000;

/** The last character of a signature carries four bits; with the two others free it would have four spellings. */
const shape = /^(([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/;

interface Verified {
  readonly header: string;
  readonly key: SigningKey;
  readonly claims: Claims;
}

/**
 * Access tokens: signed, short-lived, readable by whoever holds one.
 *
 * token -> shape -> header (one of ours, letter by letter) -> signature -> claims
 *
 * Nothing in a token chooses how it is verified: its header must be the very text that we write for a key of the ring,
 * so that no other algorithm, no key of its own (`jwk`, `jku`, `x5u`) and no extension is ever looked at.
 */
export class AccessTokens {
  readonly #keys: SigningKeys;
  readonly #lifeMs: number;
  /** What was found genuine lately. It may have ended since: its times and whether it was revoked are the caller's to
   * ask, each time. */
  readonly #verified = new Map<string, Verified>();

  constructor(keys: () => KeyRing, lifeMs: number) {
    this.#keys = new SigningKeys(keys);
    this.#lifeMs = lifeMs;
  }

  /** Rejects with `SessionTooLarge` for a token that would be longer than `tokenBytesMax`. */
  async sign(claims: Claims): Promise<string> {
    const { header, key } = this.#keys.newest();
    const text = new TextEncoder().encode(claimsText(claims));
    const token = await new CompactSign(text).setProtectedHeader({ ...header }).sign(await key);
    if (token.length <= tokenBytesMax) return token;
    const parts = [
      ['sub', claims.record.user],
      ['data', claims.dataJson],
    ] as const;
    throw new SessionTooLarge(token.length, tokenBytesMax, largestOf(parts));
  }

  verify(token: string): Claims | 'malformed' | 'forged' {
    const known = this.#verified.get(token);
    // A key that left the ring takes with it what it signed.
    if (known !== undefined && this.#keys.under(known.header) === known.key) return known.claims;
    if (token.length > tokenBytesMax) return 'malformed';
    const [, signed = '', header = '', payload = '', signature = ''] = shape.exec(token) ?? [];
    if (signed === '') return 'malformed';
    const key = this.#keys.under(header);
    if (key === undefined || !isSignature(signature, signed, key)) return 'forged';
    const claims = readClaims(Buffer.from(payload, 'base64url').toString('utf8'), this.#lifeMs);
    if (claims === undefined) return 'forged';
    this.#remember(token, { header, key, claims });
    return claims;
  }

  #remember(token: string, verified: Verified): void {
    const [oldest] = this.#verified.size < rememberedMax ? [] : this.#verified.keys();
    if (oldest !== undefined) this.#verified.delete(oldest);
    this.#verified.set(standingAlone(token), verified);
  }
}

/**
 * HS256 (RFC 7518 section 3.2), and nothing else: by now the header is known to be one of ours. Done here because every
 * request pays for it, and the library's way through WebCrypto and its threads costs ten times as much.
 */
function isSignature(signature: string, signed: string, { secret }: SigningKey): boolean {
  return timingSafeEqual(Buffer.from(signature, 'base64url'), createHmac('sha256', secret).update(signed).digest());
}

/** A copy: a piece cut out of a head would keep the whole head in memory. */
function standingAlone(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1');
}
