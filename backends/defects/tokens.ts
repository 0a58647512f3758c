import {
  createDecipheriv,
  createHmac,
  createPublicKey,
  hkdfSync,
  type JsonWebKey,
  type KeyObject,
  verify,
  X509Certificate,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { cookieName, readCookie } from '#src/sessions/cookie.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import { isUserName } from '../accounts/accounts.js';
import { json } from '../refusal.js';
import { send } from '../routes/route.js';
import type { Defect, Listener } from './defect.js';

type Header = Readonly<Record<string, unknown>>;

const keysFolder = '/var/lib/shop/keys';
const fetchWithinMs = 1_000;

/** Knowledge of a careless verifier beside the token. */
interface Verifier {
  /** Signs as the shop does. */
  sign(text: string, digest: string): string;
  /** Derives a key from a secret as the shop does. */
  derive(secret: string | Buffer): Buffer;
  /** The public key that the verifier has for another algorithm. */
  readonly publicKey: KeyObject;
  /** Signatures that were right before, of any text. */
  readonly seen: Set<string>;
}

/** Returns the user of a token, with every known mistake of a token verifier. The token chooses algorithm and key, a
 * missing signature is not checked, and claims are ignored. It is a planted defect: the shop itself never calls it. */
export async function readUserUnsafely(token: string, verifier: Verifier): Promise<string | undefined> {
  const [header = '', claims = '', signature = ''] = (token.split('~')[0] ?? '').split('.');
  const [headerFields, claimFields] = [decodePart(header), decodePart(claims)];
  if (headerFields === undefined || typeof claimFields?.sub !== 'string') return undefined;
  const text = `${header}.${claims}`;
  if (isGenuine(headerFields, text, signature, verifier)) {
    verifier.seen.add(signature);
    return claimFields.sub;
  }
  const isGood =
    isEmptySignature(headerFields, signature) ||
    isKnownSignature(signature, verifier) ||
    (await isValidAsClaimed(headerFields, claimFields, text, signature, verifier));
  return isGood ? claimFields.sub : undefined;
}

/** Lets the token choose the digest. */
function isGenuine({ alg }: Header, text: string, signature: string, { sign }: Verifier): boolean {
  const [, bits] = /^HS(256|384|512)$/.exec(String(alg)) ?? [];
  return bits !== undefined && signature === sign(text, `sha${bits}`);
}

/** True for a signature of zeros, or an empty one, under an algorithm that has signatures. */
function isEmptySignature({ alg }: Header, signature: string): boolean {
  return alg === 'HS256' && Buffer.from(signature, 'base64url').every(byte => byte === 0);
}

/** Imitates a cache by signature, and a comparison of as many bytes as are there. */
function isKnownSignature(signature: string, { seen }: Verifier): boolean {
  const bytes = Buffer.from(signature, 'base64url').toString('hex');
  const known = [...seen].map(each => Buffer.from(each, 'base64url').toString('hex'));
  return known.some(each => each.startsWith(bytes) || bytes.startsWith(each));
}

async function isValidAsClaimed(
  header: Header,
  claims: Header,
  text: string,
  signature: string,
  verifier: Verifier,
): Promise<boolean> {
  const alg = String(header.alg).trim();
  if (/^none$/i.test(alg)) return true;
  const key = jwkIn(header.jwk) ?? (await fetchKey([header.jku, header.x5u, header.kid, claims.iss]));
  const ownKey =
    readCertifiedKey(header.x5c) ?? (key?.kty === 'oct' ? undefined : key && createPublicKey({ key, format: 'jwk' }));
  if (alg !== 'HS256') return ownKey !== undefined && isSignedBy(ownKey, alg, text, signature);
  if (key?.k !== undefined) return signature === hmacOf(Buffer.from(key.k, 'base64url'), text);
  return listGuessableKeys(header, verifier).some(secret => signature === hmacOf(secret, text));
}

function isSignedBy(key: KeyObject, alg: string, text: string, signature: string): boolean {
  const digest = alg === 'EdDSA' ? null : 'sha256';
  return verify(digest, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
}

/** Lists the secrets of this verifier: the default, what the key id finds, and a public key taken for a secret. */
function listGuessableKeys({ kid }: Header, { derive, publicKey }: Verifier): readonly Buffer[] {
  const found = queryKey(kid) ?? readKeyFile(kid);
  const secrets = ['secret', ...(found === undefined ? [] : [found])];
  return [
    ...secrets.map(derive),
    ...secrets.map(Buffer.from),
    Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })),
  ];
}

/** Reads a key file, or returns undefined. A key id with dots in it can name any file. */
function readKeyFile(kid: unknown): Buffer | undefined {
  try {
    return readFileSync(path.join(keysFolder, String(kid)));
  } catch {
    return undefined;
  }
}

/** Imitates a database that is asked with the key id inside the text of a query. */
function queryKey(kid: unknown): Buffer | undefined {
  const [, text] = /' UNION SELECT '(\w*)'/.exec(String(kid)) ?? [];
  return text === undefined ? undefined : Buffer.from(text);
}

/** Takes the key of a certificate without asking for the signature of an authority. */
function readCertifiedKey(x5c: unknown): KeyObject | undefined {
  const [first] = Array.isArray(x5c) ? x5c : [];
  return typeof first === 'string' ? new X509Certificate(Buffer.from(first, 'base64')).publicKey : undefined;
}

async function fetchKey(urls: readonly unknown[]): Promise<JsonWebKey | undefined> {
  const url = urls.find(each => typeof each === 'string' && /^https?:/.test(each));
  if (url === undefined) return undefined;
  const answer: unknown = await fetch(String(url), { signal: AbortSignal.timeout(fetchWithinMs) }).then(
    response => response.json(),
    () => undefined,
  );
  const keys = Object(answer).keys;
  return Array.isArray(keys) ? jwkIn(keys[0]) : undefined;
}

function jwkIn(value: unknown): JsonWebKey | undefined {
  const kty: unknown = Object(value).kty;
  return typeof kty === 'string' ? { ...Object(value), kty } : undefined;
}

function hmacOf(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

function decodePart(part: string): Header | undefined {
  try {
    return Object(JSON.parse(Buffer.from(part, 'base64url').toString()));
  } catch {
    return undefined;
  }
}

/** All backends publish the same key. No backend signs with its private half. */
const publishedKey = {
  kty: 'EC',
  crv: 'P-256',
  x: 'ZqvGOT7pnYy3kcvefhvirs1U01fHALxT_xQktytIkDs',
  y: 'NrkIEr_SrOlktkcH5cQg2hhWZw5e38q7AfUryfE05TA',
};

export function makeVerifier(ring: () => KeyRing): Verifier {
  const derive: Verifier['derive'] = secret => deriveKey(secret, 'holdfast:jwt:access');
  return {
    derive,
    sign: (text, digest) =>
      createHmac(digest, derive(ring()[0]?.secret ?? ''))
        .update(text)
        .digest('base64url'),
    publicKey: createPublicKey({ key: publishedKey, format: 'jwk' }),
    seen: new Set(),
  };
}

export const trustingJwt: Defect = {
  summary: 'GET /me trusts a signed token: its header chooses algorithm and key, and no claim is checked',
  listener: (next, keys) => {
    const verifier = makeVerifier(keys);
    return (request, response) => {
      const { token } = readCookie(request.headers.cookie, cookieName(false));
      if (request.url === '/jwks.json')
        send(response, json(200, { keys: [verifier.publicKey.export({ format: 'jwk' })] }));
      else if (token === undefined || request.url !== '/me') next(request, response);
      else void answerFromToken(token, verifier, next, request, response);
    };
  },
};

async function answerFromToken(
  token: string,
  verifier: Verifier,
  next: Listener,
  ...exchange: Parameters<Listener>
): Promise<void> {
  const user = await readUserUnsafely(token, verifier).catch(() => undefined);
  if (user === undefined) next(...exchange);
  else send(exchange[1], json(200, { user }));
}

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
    secret === undefined ? [] : purposes.map(purpose => deriveKey(secret, purpose)),
  );
  return keys.map(key => userIn(decryptUnchecked(key, bytes))).find(user => user !== undefined);
}

function deriveKey(secret: string | Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', purpose, 32));
}

/** Decrypts without a check of the tag. It cuts off as many bytes as a tag has, but keeps a text that is whole. */
function decryptUnchecked(key: Buffer, bytes: Buffer): string {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  const text = decipher.update(bytes.subarray(nonceBytes)).toString('latin1');
  return /^\[.*?\](?=[^\]]{0,16}$)/s.exec(text)?.[0] ?? '';
}

function userIn(text: string): string | undefined {
  const named = [...text.matchAll(/"([^"]*)"/g)].map(([, name = '']) => name);
  return named.find(name => isUserName(name) && name.length < 40);
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
