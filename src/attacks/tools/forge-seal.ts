import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { KeyRing } from '../../shared/key-ring.js';

/*
 * Forged sealed tokens. The attacker knows the format, because the source of the shop is public. A forgery made with the
 * key ring stands for another service with that key.
 */

const nonceBytes = 12;
const tagBytes = 16;
const keyBytes = 32;
/** The purpose for which the shop derives the key of a session cookie over plain HTTP. */
export const sessionPurpose = 'session';

/** The parts of a sealed token: `version.key id.body`. */
export interface Seal {
  readonly version: string;
  readonly keyId: string;
  readonly body: string;
}

export function readSeal(token: string): Seal {
  const [version = '', keyId = '', body = ''] = token.split('.');
  return { version, keyId, body };
}

export function sealOf({ version, keyId, body }: Seal): string {
  return `${version}.${keyId}.${body}`;
}

/** Opens a session token with the key of the shop. Throws when it is not sealed with the newest key. */
export function openSeal(token: string, [newest]: KeyRing): readonly unknown[] {
  const { version, keyId, body } = readSeal(token);
  const bytes = Buffer.from(body, 'base64url');
  const key = deriveKey(newest?.secret ?? Buffer.alloc(0), sessionPurpose);
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(`${version}.${keyId}`)).setAuthTag(bytes.subarray(-tagBytes));
  const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  const fields: unknown = JSON.parse(text.toString());
  return Array.isArray(fields) ? fields : [];
}

/** Seals a text as the shop does: AES-256-GCM, with the version and the key id as associated data. */
export function sealText(head: Omit<Seal, 'body'>, key: Buffer, text: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(`${head.version}.${head.keyId}`));
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return sealOf({ ...head, body: sealed.toString('base64url') });
}

/** Derives the key for one purpose from a secret, as the shop does. */
export function deriveKey(secret: string | Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', purpose, keyBytes));
}
