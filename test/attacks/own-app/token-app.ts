import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { JourneyMapping } from '#src/simulator/scenario/journey/mapping.js';
import type { AppCall, AppSaid } from './served.js';

/** What can be wrong with the app: one defect for each way in which an attack succeeds. */
export type TokenDefect =
  | 'no-verification'
  | 'short-signature'
  | 'weak-secret'
  | 'alg-none'
  | 'alg-missing'
  | 'key-confusion'
  | 'kid-file'
  | 'own-jwk'
  | 'own-rsa-jwk'
  | 'no-expiry'
  | 'no-denylist'
  | 'refresh-reuse'
  | 'refresh-race'
  | 'token-in-query';

interface Claims {
  readonly sub: string;
  readonly jti: string;
  readonly exp: number;
}

/** One pair for all apps, because it takes long to make. */
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const tokenSeconds = 600;
const shortTokenSeconds = 4;

/** An app with signed access tokens in a header, and refresh tokens. `RS256`: it publishes its public key. */
export function makeTokenApp(alg: 'HS256' | 'RS256', defect?: TokenDefect, isShort = defect === 'no-expiry') {
  const is = (name: TokenDefect) => defect === name;
  const secret = is('weak-secret') ? Buffer.from('secret') : randomBytes(32);
  const denied = new Set<string>();
  const carts = new Map<string, string[]>();
  const refreshTokens = new Map<string, string>();

  const issue = (sub: string) => {
    const exp = Math.floor(Date.now() / 1000) + (isShort ? shortTokenSeconds : tokenSeconds);
    const text = [
      { alg, kid: 'main' },
      { sub, jti: randomUUID(), exp },
    ]
      .map(encode)
      .join('.');
    const access_token = `${text}.${signatureOf(text).toString('base64url')}`;
    const refresh_token = randomBytes(24).toString('base64url');
    refreshTokens.set(refresh_token, sub);
    return { access_token, refresh_token };
  };
  const signatureOf = (text: string): Buffer =>
    alg === 'RS256' ? sign('sha256', Buffer.from(text), pair.privateKey) : hmac(secret, text);

  const holds = (text: string, header: Readonly<Record<string, unknown>>, signature: Buffer): boolean => {
    if (is('no-verification')) return true;
    if (is('alg-none') && String(header.alg).toLowerCase() === 'none') return true;
    if (is('alg-missing') && header.alg === undefined) return true;
    if (is('kid-file') && String(header.kid).startsWith('/'))
      return isSame(signature, hmac(readFileSync(String(header.kid)), text));
    if (is('own-jwk') && header.jwk !== undefined) return verifyWithJwk(text, Object(header.jwk), signature);
    if (is('own-rsa-jwk') && Object(header.jwk).kty === 'RSA')
      return verifyWithJwk(text, Object(header.jwk), signature);
    if (is('key-confusion') && header.alg === 'HS256')
      return isSame(signature, hmac(String(pair.publicKey.export({ type: 'spki', format: 'pem' })), text));
    if (header.alg !== alg) return false;
    if (alg === 'RS256') return verify('sha256', Buffer.from(text), pair.publicKey, signature);
    const own = hmac(secret, text);
    return is('short-signature') ? isSame(signature, own.subarray(0, signature.length)) : isSame(signature, own);
  };
  const open = (token: string): Claims | undefined => {
    try {
      const [head = '', body = '', signature = ''] = token.split('.');
      if (!holds(`${head}.${body}`, decode(head), Buffer.from(signature, 'base64url'))) return undefined;
      const { sub, jti, exp } = decode(body);
      const claims = { sub: String(sub), jti: String(jti), exp: Number(exp) };
      const isOver = claims.exp * 1000 < Date.now() && !is('no-expiry');
      return isOver || denied.has(claims.jti) ? undefined : claims;
    } catch {
      return undefined;
    }
  };
  const refresh = async (token: string): Promise<AppSaid> => {
    const sub = refreshTokens.get(token);
    // The store answers a little later, so that two requests can both find the token.
    if (is('refresh-race')) await new Promise(resolve => setTimeout(resolve, 20));
    if (sub === undefined) return { status: 401, body: {} };
    if (!is('refresh-reuse')) refreshTokens.delete(token);
    return { body: issue(sub) };
  };

  return async ({ route, url, body, headers }: AppCall): Promise<AppSaid> => {
    if (route === 'GET /.well-known/jwks.json' && alg === 'RS256') return { body: { keys: [jwkOf(pair.publicKey)] } };
    if (route === 'POST /login') {
      const { user = '', password } = JSON.parse(body);
      return password === 'secret' ? { body: issue(user) } : { status: 401, body: {} };
    }
    if (route === 'POST /refresh') return refresh(JSON.parse(body).refresh);
    const query = is('token-in-query') ? url.searchParams.get('access_token') : null;
    const claims = open(query ?? (headers.authorization ?? '').replace(/^Bearer /, ''));
    if (claims === undefined) return { status: 401, body: {} };
    const cart = carts.get(claims.sub) ?? [];
    if (route === 'POST /cart') carts.set(claims.sub, [...cart, JSON.parse(body).sku]);
    if (route === 'POST /logout' && !is('no-denylist')) denied.add(claims.jti);
    return { body: { user: claims.sub, items: cart } };
  };
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function decode(part: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(part, 'base64url').toString());
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function jwkOf(key: KeyObject) {
  return { ...key.export({ format: 'jwk' }), kid: 'main', use: 'sig' };
}

function verifyWithJwk(text: string, jwk: object, signature: Buffer): boolean {
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
  return verify('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, signature);
}

const headers = { authorization: 'Bearer {access}' };

export const tokenJourney: JourneyMapping = {
  login: { request: { method: 'POST', path: '/login', json: { user: '{user}', password: 'secret' } } },
  add: { request: { method: 'POST', path: '/cart', json: { sku: '{token}' }, headers } },
  read: { request: { method: 'GET', path: '/cart', headers }, items: { path: '$.items[*]' }, who: { path: '$.user' } },
  logout: { request: { method: 'POST', path: '/logout', headers } },
  refresh: { request: { method: 'POST', path: '/refresh', json: { refresh: '{refresh}' } } },
  anonymous: { status: [401] },
  carry: {
    access: { path: '$.access_token', from: 'login' },
    refresh: { path: '$.refresh_token', from: 'login' },
  },
};
