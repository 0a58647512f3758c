import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import type { KeyRing } from '../shared/key-ring.js';

/**
 * What only this system can read or write, as text that fits into a cookie:
 *
 *   v1.<key id>.<base64url(nonce | ciphertext | tag)>
 *
 * AES-256-GCM. The key is derived from a secret of the ring for one purpose, so that what was sealed for one purpose
 * opens for no other; the parts in front are authenticated too. A nonce is 12 random bytes: one key is good for 2^32
 * tokens (NIST SP 800-38D, section 8.3), a hundred a second for more than a year. Nothing is compressed, because the
 * length of compressed text tells of what is in it.
 */
const version = 'v1';
const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const keyIdCharsMax = 32;

/** Longer than any cookie may be. Checked before any other work, so that a huge token costs its sender more than us. */
export const sealedCharsMax = 4096;

/** Any version, so that a token of another one is told from what never was a token. */
const shape = /^(v\d{1,3})\.([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]+)$/;

export interface Unsealed {
  readonly text: string;
  /** Which key it was sealed with: one that is not the newest asks for sealing again. */
  readonly keyId: string;
}

/** With the newest key. Throws a `RangeError` for text that would give more than `sealedCharsMax` characters. */
export function seal(ring: KeyRing, purpose: string, text: string): string {
  const newest = newestOf(ring);
  const length = sealedCharsOf(ring, text);
  if (length > sealedCharsMax) {
    throw new RangeError(`sealed, this would be ${length} characters; at most ${sealedCharsMax}`);
  }
  const header = `${version}.${newest.id}`;
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, derivedKey(newest, purpose), nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(header));
  const ciphertext = cipher.update(text, 'utf8');
  cipher.final();
  return `${header}.${Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString('base64url')}`;
}

/** How long `text` will be once it is sealed, without sealing it. */
export function sealedCharsOf(ring: KeyRing, text: string): number {
  return chars(newestOf(ring).id.length, Buffer.byteLength(text));
}

/** The same for any text of so many bytes, and any key that there may be one day. */
export function sealedCharsAtMost(textBytes: number): number {
  return chars(keyIdCharsMax, textBytes);
}

function chars(keyIdChars: number, textBytes: number): number {
  return `${version}..`.length + keyIdChars + Math.ceil(((nonceBytes + textBytes + tagBytes) * 4) / 3);
}

/** `malformed`: no sealed token at all. `forged`: one of another version, of an unknown key, or not as it was sealed. */
export function unseal(ring: KeyRing, purpose: string, token: string): Unsealed | 'malformed' | 'forged' {
  if (token.length > sealedCharsMax) return 'malformed';
  const [, tokenVersion, keyId, body = ''] = shape.exec(token) ?? [];
  const sealed = Buffer.from(body, 'base64url');
  // Bits that Buffer ignores at the end would give one token several spellings.
  const isCanonical = sealed.toString('base64url') === body;
  if (tokenVersion === undefined || !isCanonical || sealed.length < nonceBytes + tagBytes) return 'malformed';
  const key = ring.find(({ id }) => id === keyId);
  if (key === undefined || tokenVersion !== version) return 'forged';
  const text = opened(derivedKey(key, purpose), `${version}.${key.id}`, sealed);
  return text === undefined ? 'forged' : { text, keyId: key.id };
}

function opened(key: KeyObject, header: string, sealed: Buffer): string | undefined {
  const nonce = sealed.subarray(0, nonceBytes);
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(header));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  const text = decipher.update(sealed.subarray(nonceBytes, -tagBytes));
  try {
    // Only now is it certain that the text is what was sealed; before, nobody may look at it.
    decipher.final();
    return text.toString('utf8');
  } catch {
    return undefined;
  }
}

type Key = KeyRing[number];

/** By entry and purpose: deriving costs as much as opening. An entry that leaves the ring takes its keys with it. */
const derivedKeys = new WeakMap<Key, Map<string, KeyObject>>();

function derivedKey(key: Key, purpose: string): KeyObject {
  const ofEntry = derivedKeys.get(key) ?? new Map<string, KeyObject>();
  derivedKeys.set(key, ofEntry);
  const known = ofEntry.get(purpose);
  if (known !== undefined) return known;
  const derived = createSecretKey(Buffer.from(hkdfSync('sha256', key.secret, '', purpose, keyBytes)));
  ofEntry.set(purpose, derived);
  return derived;
}

function newestOf(ring: KeyRing): Key {
  const [newest] = ring;
  if (newest === undefined) throw new RangeError('a key ring without a key seals nothing');
  return newest;
}
