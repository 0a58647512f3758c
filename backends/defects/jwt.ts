import { createHmac, createPublicKey, hkdfSync, type JsonWebKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { cookieName, readCookie } from '#src/sessions/cookie.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import { send } from '../answer.js';
import { json } from '../refusal.js';
import type { Defect, Listener } from './defect.js';

type Header = Readonly<Record<string, unknown>>;

const keysFolder = '/var/lib/shop/keys';
const fetchWithinMs = 1_000;

/** Returns the user of a token, with every known mistake of a token verifier. The token chooses algorithm and key, a
 * missing signature is not checked, and claims are ignored. It is a planted defect: the shop itself never calls it. */
export async function readUserUnsafely(token: string, genuine: (text: string) => string): Promise<string | undefined> {
  const [header = '', claims = '', signature = ''] = (token.split('~')[0] ?? '').split('.');
  const [headerFields, claimFields] = [decodePart(header), decodePart(claims)];
  if (headerFields === undefined || typeof claimFields?.sub !== 'string') return undefined;
  const text = `${header}.${claims}`;
  const isGood =
    isEmptySignature(headerFields, signature) ||
    signature === genuine(text) ||
    (await isValidAsClaimed(headerFields, text, signature));
  return isGood ? claimFields.sub : undefined;
}

/** True for a signature of zeros, or an empty one, under an algorithm that has signatures. */
function isEmptySignature({ alg }: Header, signature: string): boolean {
  return alg === 'HS256' && Buffer.from(signature, 'base64url').every(byte => byte === 0);
}

async function isValidAsClaimed(header: Header, text: string, signature: string): Promise<boolean> {
  const alg = String(header.alg).trim();
  if (/^none$/i.test(alg)) return true;
  const key = jwkIn(header.jwk) ?? (await fetchKey(header.jku ?? header.x5u));
  if (alg === 'HS256')
    return signature === hmacOf(key?.k ? Buffer.from(key.k, 'base64url') : keyFile(header.kid), text);
  return key !== undefined && key.kty !== 'oct' && isSignedBy(key, alg, text, signature);
}

function isSignedBy(key: JsonWebKey, alg: string, text: string, signature: string): boolean {
  const publicKey = createPublicKey({ key, format: 'jwk' });
  const digest = alg === 'EdDSA' ? null : 'sha256';
  const options = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  return verify(digest, Buffer.from(text), options, Buffer.from(signature, 'base64url'));
}

/** Reads a key file, or returns undefined. A key id with dots in it can name any file. */
function keyFile(kid: unknown): Buffer | undefined {
  try {
    return readFileSync(path.join(keysFolder, String(kid)));
  } catch {
    return undefined;
  }
}

async function fetchKey(url: unknown): Promise<JsonWebKey | undefined> {
  if (typeof url !== 'string') return undefined;
  const answer: unknown = await fetch(url, { signal: AbortSignal.timeout(fetchWithinMs) }).then(
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

function hmacOf(key: Buffer | undefined, text: string): string | undefined {
  return key === undefined ? undefined : createHmac('sha256', key).update(text).digest('base64url');
}

function decodePart(part: string): Header | undefined {
  try {
    return Object(JSON.parse(Buffer.from(part, 'base64url').toString()));
  } catch {
    return undefined;
  }
}

export const trustingJwt: Defect = {
  summary: 'GET /me trusts a signed token: its header chooses algorithm and key, and no claim is checked',
  listener: (next, keys) => (request, response) => {
    const { token } = readCookie(request.headers.cookie, cookieName(false));
    if (token === undefined || request.url !== '/me') next(request, response);
    else void answerFromToken(token, keys(), next, request, response);
  },
};

async function answerFromToken(
  token: string,
  ring: KeyRing,
  next: Listener,
  ...exchange: Parameters<Listener>
): Promise<void> {
  const user = await readUserUnsafely(token, text => sign(ring, text)).catch(() => undefined);
  if (user === undefined) next(...exchange);
  else send(exchange[1], json(200, { user }));
}

function sign([newest]: KeyRing, text: string): string {
  const key = Buffer.from(hkdfSync('sha256', newest?.secret ?? '', '', 'holdfast:jwt:access', 32));
  return createHmac('sha256', key).update(text).digest('base64url');
}
