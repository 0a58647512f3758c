import { createHmac, generateKeyPairSync, hash, hkdfSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { KeyRing } from '../../shared/key-ring.js';

/*
 * Tokens that nobody but an attacker would make. What is known to him: how tokens of this shop look (everybody can read
 * the own one), and keys of his own. Whoever has the key ring is another service that signs with the same key.
 */

export type ForgedClaims = Readonly<Record<string, unknown>>;
export type Header = Readonly<Record<string, unknown>>;

/** A cookie to try, and what is wrong with it. */
export interface Forgery {
  readonly what: string;
  readonly token: string;
}

/** An access token as anybody can read it. */
export interface Parts {
  readonly header: Header;
  readonly claims: ForgedClaims;
  readonly signature: string;
}

/** Undefined for text that is no signed token. */
export function readToken(cookie: string): (Parts & { readonly refresh: string }) | undefined {
  const [access = '', refresh = ''] = cookie.split('~');
  const [header = '', claims = '', signature] = access.split('.');
  if (signature === undefined) return undefined;
  return { header: decoded(header), claims: decoded(claims), signature, refresh };
}

/** What the attacker wants to say, and the refresh token that it is bound to. */
export interface Wish {
  readonly claims: ForgedClaims;
  readonly refresh: string;
}

/** The own claims with another's name, in a session that nobody ever began. */
export function wishFor(user: string, own: ForgedClaims): Wish {
  const refresh = randomToken();
  return { claims: { ...own, sub: user, sid: randomToken(), refresh: hash('sha256', refresh, 'base64url') }, refresh };
}

type Signer = (text: string) => Buffer;

/** The cookie that says `claims` under `header`. A member that is undefined is left out. */
export function cookieOf(header: unknown, { claims, refresh }: Wish, signer: Signer): string {
  const text = `${encoded(JSON.stringify(header))}.${encoded(JSON.stringify(claims))}`;
  return `${text}.${signer(text).toString('base64url')}~${refresh}`;
}

export function hmac(key: string | Buffer, digest = 'sha256'): Signer {
  return text => createHmac(digest, key).update(text).digest();
}

/** As the shop signs, for whoever has its key ring. */
export function genuine([newest]: KeyRing): Signer {
  if (newest === undefined) throw new RangeError('a key ring without a key signs nothing');
  return hmac(Buffer.from(hkdfSync('sha256', newest.secret, '', 'holdfast:jwt:access', 32)));
}

/** Pairs of keys that the attacker made, by the algorithm that goes with them. */
export interface OwnPair {
  readonly alg: string;
  readonly publicKey: KeyObject;
  readonly signer: Signer;
}

let made: readonly OwnPair[] | undefined;

/** Made once: that of RSA takes a while. */
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

/** JWS wants the two numbers of an ECDSA signature as they are, not in ASN.1 (RFC 7518 section 3.4). */
function ieee(key: KeyObject) {
  return { key, dsaEncoding: 'ieee-p1363' } as const;
}

export const nothing: Signer = () => Buffer.alloc(0);

export function randomToken(): string {
  return randomBytes(32).toString('base64url');
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function decoded(part: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(Buffer.from(part, 'base64url').toString()));
  } catch {
    return {};
  }
}
