import { CompactSign, compactVerify, errors } from 'jose';
import type { KeyRing } from '../../../key-ring.js';
import { SessionTooLarge } from '../../errors.js';
import { largestOf } from '../../plain-data.js';
import { type Claims, claimsText, readClaims } from './claims.js';
import { algorithm, type SigningKey, SigningKeys } from './signing-keys.js';

export const tokenBytesMax = 2048;
const rememberedMax = 2000;

/** The last character of a signature carries four bits; with the two others free it would have four spellings. */
const shape = /^([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

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

  async verify(token: string): Promise<Claims | 'malformed' | 'forged'> {
    const known = this.#verified.get(token);
    // A key that left the ring takes with it what it signed.
    if (known !== undefined && this.#keys.under(known.header) === known.key) return known.claims;
    if (token.length > tokenBytesMax) return 'malformed';
    const [, header] = shape.exec(token) ?? [];
    if (header === undefined) return 'malformed';
    const key = this.#keys.under(header);
    const text = key && (await signedText(token, key));
    const claims = text === undefined ? undefined : readClaims(text, this.#lifeMs);
    if (key === undefined || claims === undefined) return 'forged';
    this.#remember(token, { header, key, claims });
    return claims;
  }

  #remember(token: string, verified: Verified): void {
    const [oldest] = this.#verified.size < rememberedMax ? [] : this.#verified.keys();
    if (oldest !== undefined) this.#verified.delete(oldest);
    this.#verified.set(standingAlone(token), verified);
  }
}

async function signedText(token: string, { key }: SigningKey): Promise<string | undefined> {
  try {
    const { payload } = await compactVerify(token, await key, { algorithms: [algorithm] });
    return Buffer.from(payload).toString('utf8');
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** A copy: a piece cut out of a head would keep the whole head in memory. */
function standingAlone(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1');
}
