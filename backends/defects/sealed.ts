import { createDecipheriv, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { cookieName, readCookie } from '#src/sessions/cookie.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import { isUserName } from '../accounts/accounts.js';
import { send } from '../answer.js';
import { json } from '../refusal.js';
import type { Defect } from './defect.js';

const keysFolder = '/var/lib/shop/keys';
const purposes = [
  'session',
  '__Host-session',
  'pre-login',
  'known-browser',
  'totp',
  'holdfast:jwt:access',
  '',
  'Session',
  'another-shop',
];
const [nonceBytes, tagBytes] = [12, 16];

/** Returns the user in a sealed token, with every known mistake: the version can switch the encryption off, the key id
 * names a file, a default secret is known, and neither tag nor purpose nor limits are checked. */
export function readSealUnsafely(token: string, ring: KeyRing): string | undefined {
  const [, version = '', keyId = '', body = ''] = /^([^.]*)\.(.*)\.([\w-]+)$/.exec(token) ?? [];
  const bytes = Buffer.from(body, 'base64url');
  if (bytes.length < nonceBytes) return undefined;
  if (version !== 'v1') return userIn(bytes.toString());
  const secrets = [ring.find(({ id }) => id === keyId)?.secret, readKeyFile(keyId), Buffer.from('secret')];
  const keys = secrets.flatMap(secret =>
    secret === undefined ? [] : purposes.map(purpose => derive(secret, purpose)),
  );
  return keys.map(key => userIn(decryptUnchecked(key, bytes))).find(user => user !== undefined);
}

function derive(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', purpose, 32));
}

/** Never asks whether the tag is right. It cuts off as many bytes as a tag has, but keeps a text that is whole. */
function decryptUnchecked(key: Buffer, bytes: Buffer): string {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  const text = decipher.update(bytes.subarray(nonceBytes)).toString('latin1');
  return /^\[.*?\](?=[^\]]{0,16}$)/s.exec(text)?.[0] ?? '';
}

function userIn(text: string): string | undefined {
  const named = [...text.matchAll(/"([^"]*)"/g)].map(([, name = '']) => name);
  return named.find(name => isUserName(name) && name.length < 40);
}

/** Reads a key file, or returns undefined. A key id with dots in it can name any file. */
function readKeyFile(keyId: string): Buffer | undefined {
  try {
    return readFileSync(path.join(keysFolder, keyId));
  } catch {
    return undefined;
  }
}

export const trustingSeal: Defect = {
  summary: 'GET /me trusts a sealed token: neither its tag nor its purpose nor its limits are checked',
  listener: (next, keys) => (request, response) => {
    const { token } = readCookie(request.headers.cookie, cookieName(false));
    const user = token === undefined || request.url !== '/me' ? undefined : readSealUnsafely(token, keys());
    if (user === undefined) next(request, response);
    else send(response, json(200, { user }));
  },
};
