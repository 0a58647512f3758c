import { createHmac, generateKeyPairSync, hash, hkdfSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { KeyRing } from '../../shared/key-ring.js';

/*
 * Forged tokens. The attacker knows what tokens of this shop look like, because every user can read their own token.
 * The attacker also has keys of their own. A forgery made with the key ring stands for another service with that key.
 */

export type ForgedClaims = Readonly<Record<string, unknown>>;
export type Header = Readonly<Record<string, unknown>>;

/** A cookie to try, and what is wrong with it. */
export interface Forgery {
  readonly what: string;
  readonly token: string;
}

/** The readable parts of an access token. */
export interface Parts {
  readonly header: Header;
  readonly claims: ForgedClaims;
  readonly signature: string;
}

/** Parses a session cookie. Returns undefined for text that is not a signed token. */
export function readToken(cookie: string): (Parts & { readonly refresh: string }) | undefined {
  const [access = '', refresh = ''] = cookie.split('~');
  const [header = '', claims = '', signature] = access.split('.');
  if (signature === undefined) return undefined;
  return { header: decode(header), claims: decode(claims), signature, refresh };
}

/** The claims that the attacker wants, and the refresh token to which they are bound. */
export interface TokenContent {
  readonly claims: ForgedClaims;
  readonly refresh: string;
}

/** Takes the attacker's own claims and puts in another user, and a session that never existed. */
export function makeContent(user: string, own: ForgedClaims): TokenContent {
  const refresh = randomToken();
  // A session id ends with a tag of its user. The attacker's own tag is as good as any.
  const sid = `${randomToken()}${String(own.sid).slice(refresh.length)}`;
  return { claims: { ...own, sub: user, sid, refresh: hash('sha256', refresh, 'base64url') }, refresh };
}

type Signer = (text: string) => Buffer;

/** Builds the cookie with these claims and this header. Members that are undefined are left out. */
export function cookieOf(header: unknown, { claims, refresh }: TokenContent, signer: Signer): string {
  const text = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(claims))}`;
  return `${text}.${signer(text).toString('base64url')}~${refresh}`;
}

export function hmac(key: string | Buffer, digest = 'sha256'): Signer {
  return text => createHmac(digest, key).update(text).digest();
}

/** Returns the signer of the shop, made from its key ring. */
export function makeShopSigner([newest]: KeyRing): Signer {
  if (newest === undefined) throw new RangeError('a key ring without a key signs nothing');
  return hmac(Buffer.from(hkdfSync('sha256', newest.secret, '', 'holdfast:jwt:access', 32)));
}

/** A key pair of the attacker, and the algorithm for it. */
export interface OwnPair {
  readonly alg: string;
  readonly publicKey: KeyObject;
  readonly signer: Signer;
}

let made: readonly OwnPair[] | undefined;

/** Returns the key pairs of the attacker. They are made once, because an RSA pair takes a while. */
export function ownPairs(): readonly OwnPair[] {
  made ??= makePairs();
  return made;
}

function makePairs(): readonly OwnPair[] {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ed = generateKeyPairSync('ed25519');
  return [
    { alg: 'RS256', publicKey: rsa.publicKey, signer: text => sign('sha256', Buffer.from(text), rsa.privateKey) },
    { alg: 'ES256', publicKey: ec.publicKey, signer: text => sign('sha256', Buffer.from(text), ieee(ec.privateKey)) },
    { alg: 'EdDSA', publicKey: ed.publicKey, signer: text => sign(null, Buffer.from(text), ed.privateKey) },
  ];
}

/** JWS concatenates the two numbers of an ECDSA signature and does not use ASN.1 (RFC 7518 section 3.4). */
function ieee(key: KeyObject) {
  return { key, dsaEncoding: 'ieee-p1363' } as const;
}

export const signWithNothing: Signer = () => Buffer.alloc(0);

export function randomToken(): string {
  return randomBytes(32).toString('base64url');
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function decode(part: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(Buffer.from(part, 'base64url').toString()));
  } catch {
    return {};
  }
}
