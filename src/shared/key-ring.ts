import { randomBytes } from 'node:crypto';

/** Secrets for signing or sealing. The first one signs or seals; all of them verify or open. */
export type KeyRing = readonly { readonly id: string; readonly secret: Buffer }[];

const secretBytesMin = 32;
const keysMax = 16;
const keyId = /^[A-Za-z0-9_-]{1,32}$/;
const evenHex = /^(?:[0-9a-fA-F]{2})+$/;
const howTo =
  'Expected "id:hex,id:hex", the newest first, each secret at least 32 bytes (64 hex digits). ' +
  `Make one with: node -p "'k1:' + require('node:crypto').randomBytes(32).toString('hex')"`;

/** An error about the keys of a ring. Its message never shows a secret. */
export class KeyRingError extends Error {
  constructor(problem: string) {
    super(`the key ring cannot be used: ${problem}. ${howTo}`);
    this.name = 'KeyRingError';
  }
}

/** Parses `id:hex,id:hex`, the newest key first. Ignores spaces around an entry. Throws `KeyRingError`. */
export function parseKeyRing(text: string): KeyRing {
  return checkKeys(text.split(',').map((entry, index) => parseKey(entry.trim(), index + 1)));
}

/**
 * Makes a ring of one random key, kept only in memory. A process that restarts with another key binds all browsers
 * anew.
 */
export function generateKeyRing(): KeyRing {
  return [{ id: randomBytes(4).toString('hex'), secret: randomBytes(secretBytesMin) }];
}

/**
 * Formats a ring for the environment of a child process; `parseKeyRing` reads it. It holds the secrets: never log it.
 */
export function formatKeyRing(keys: KeyRing): string {
  return keys.map(({ id, secret }) => `${id}:${secret.toString('hex')}`).join(',');
}

/** Checks that the keys are usable and have different ids, and returns them. Throws `KeyRingError`. */
export function checkKeys(keys: KeyRing): KeyRing {
  if (keys.length === 0) throw new KeyRingError('it holds no key');
  if (keys.length > keysMax) throw new KeyRingError(`it holds ${keys.length} keys; at most ${keysMax} are allowed`);
  const seen = new Set<string>();
  keys.forEach(({ id, secret }, index) => {
    const place = `key ${index + 1}`;
    if (!keyId.test(id)) throw new KeyRingError(`the id of ${place} is not 1 to 32 letters, digits, "_" or "-"`);
    if (seen.has(id)) throw new KeyRingError(`${place} has an id that an earlier key has already ("${id}")`);
    if (secret.length < secretBytesMin) {
      throw new KeyRingError(
        `the secret of ${place} has ${secret.length} bytes; at least ${secretBytesMin} are needed`,
      );
    }
    seen.add(id);
  });
  return keys;
}

/** Parses one entry. An error names the position of the entry, never its text, which may be the secret itself. */
function parseKey(entry: string, place: number): KeyRing[number] {
  const colon = entry.indexOf(':');
  if (entry === '') throw new KeyRingError(`key ${place} is empty`);
  if (colon === -1) throw new KeyRingError(`key ${place} has no ":" between its id and its secret`);
  const hex = entry.slice(colon + 1);
  if (!evenHex.test(hex)) throw new KeyRingError(`the secret of key ${place} is not an even number of hex digits`);
  return { id: entry.slice(0, colon), secret: Buffer.from(hex, 'hex') };
}
