import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import type { KeyRing } from '../shared/key-ring.js';

/**
 * Seals text: encrypts it, so that only this system can read or write it. The result fits into a cookie:
 *
 *   v1.<key id>.<base64url(nonce | ciphertext | tag)>
 *
 * AES-256-GCM. Each purpose has its own key, derived from a secret of the ring. So text that was sealed for one purpose
 * cannot be opened for another. The parts in front are authenticated too.
 *
 * A nonce is 12 random bytes. One key is good for 2^32 tokens (NIST SP 800-38D, section 8.3): a hundred a second for
 * more than a year. Nothing is compressed, because the length of compressed text reveals its content.
 */
const version = 'v1';
const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const keyIdCharsMax = 32;

/** Longer than any cookie may be. It is checked first, so that a huge token costs its sender more than it costs us. */
export const sealedCharsMax = 4096;

/** Matches any version, to distinguish a token of another version from text that is no token. */
const shape = /^(v\d{1,3})\.([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]+)$/;

interface Unsealed {
  readonly text: string;
  /** The key that sealed it. If it is not the newest key, seal the text again. */
  readonly keyId: string;
}

/** Seals text with the newest key. Throws a `RangeError` if the result would exceed `sealedCharsMax` characters. */
export function seal(ring: KeyRing, purpose: string, text: string): string {
  const newest = newestOf(ring);
  const length = sealedCharsOf(ring, text);
  if (length > sealedCharsMax) {
    throw new RangeError(`sealed, this would be ${length} characters; at most ${sealedCharsMax}`);
  }
  const header = `${version}.${newest.id}`;
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, deriveKey(newest, purpose), nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(header));
  const ciphertext = cipher.update(text, 'utf8');
  cipher.final();
  return `${header}.${Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString('base64url')}`;
}

/** Returns the length of `text` once it is sealed, without sealing it. */
export function sealedCharsOf(ring: KeyRing, text: string): number {
  return countSealedChars(newestOf(ring).id.length, Buffer.byteLength(text));
}

/** Returns the largest sealed length of a text of `textBytes` bytes, with any key. */
export function sealedCharsAtMost(textBytes: number): number {
  return countSealedChars(keyIdCharsMax, textBytes);
}

function countSealedChars(keyIdChars: number, textBytes: number): number {
  return `${version}..`.length + keyIdChars + Math.ceil(((nonceBytes + textBytes + tagBytes) * 4) / 3);
}

/** Opens a token. `malformed`: it is no sealed token. `forged`: another version, an unknown key, or changed since it
 * was sealed. */
export function unseal(ring: KeyRing, purpose: string, token: string): Unsealed | 'malformed' | 'forged' {
  if (token.length > sealedCharsMax) return 'malformed';
  const [, tokenVersion, keyId, body = ''] = shape.exec(token) ?? [];
  const sealed = Buffer.from(body, 'base64url');
  // Buffer ignores some bits at the end. They would give one token several spellings.
  const isCanonical = sealed.toString('base64url') === body;
  if (tokenVersion === undefined || !isCanonical || sealed.length < nonceBytes + tagBytes) return 'malformed';
  const key = ring.find(({ id }) => id === keyId);
  if (key === undefined || tokenVersion !== version) return 'forged';
  const text = decrypt(deriveKey(key, purpose), `${version}.${key.id}`, sealed);
  return text === undefined ? 'forged' : { text, keyId: key.id };
}

function decrypt(key: KeyObject, header: string, sealed: Buffer): string | undefined {
  const nonce = sealed.subarray(0, nonceBytes);
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(header));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  const text = decipher.update(sealed.subarray(nonceBytes, -tagBytes));
  try {
    // Only `final` proves that the text is genuine. The text must not be used before.
    decipher.final();
    return text.toString('utf8');
  } catch {
    return undefined;
  }
}

type Key = KeyRing[number];

/** Derived keys by entry and purpose: deriving costs as much as opening. The keys of an entry are
 * dropped with the entry. */
const derivedKeys = new WeakMap<Key, Map<string, KeyObject>>();

function deriveKey(key: Key, purpose: string): KeyObject {
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
  if (newest === undefined) throw new RangeError('cannot seal: the key ring is empty');
  return newest;
}
