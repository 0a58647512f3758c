import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import type { KeyRing } from '../../shared/key-ring.js';

/*
 * Forged tokens. The attacker knows what tokens of this shop look like, because every user can read their own token.
 * The attacker also has keys of their own. A forgery made with the key ring stands for another service with that key.
 */

export type ForgedClaims = Readonly<Record<string, unknown>>;
export type Header = Readonly<Record<string, unknown>>;

/** A cookie to try, and what is wrong with it. */
export interface Forgery {
  /** The probe of the attack to which it belongs. */
  readonly probe: string;
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
  const refresh = makeRandomToken();
  // A session id ends with a tag of its user. Nothing compares it with the user in the claims, so any tag works.
  const sid = `${makeRandomToken()}${String(own.sid).slice(refresh.length)}`;
  return { claims: { ...own, sub: user, sid, refresh: hash('sha256', refresh, 'base64url') }, refresh };
}

type Signer = (text: string) => Buffer;

/** Builds the cookie with these claims and this header. Members that are undefined are left out. */
export function buildCookie(header: unknown, { claims, refresh }: TokenContent, signer: Signer): string {
  const text = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(claims))}`;
  return `${text}.${signer(text).toString('base64url')}~${refresh}`;
}

export function makeHmacSigner(key: string | Buffer, digest = 'sha256'): Signer {
  return text => createHmac(digest, key).update(text).digest();
}

/** Returns the signer of the shop, made from its key ring. */
export function makeShopSigner([newest]: KeyRing, digest?: string): Signer {
  if (newest === undefined) throw new RangeError('a key ring without a key signs nothing');
  return makeHmacSigner(deriveSigningKey(newest.secret), digest);
}

/** Derives the key from a secret as the shop does. The source of the shop is public, so an attacker can do it too. */
export function deriveSigningKey(secret: string | Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'holdfast:jwt:access', 32));
}

/** A key pair of the attacker, and the algorithm for it. */
export interface OwnPair {
  readonly alg: string;
  readonly publicKey: KeyObject;
  /** A certificate that the attacker signed for the key, in Base64 (RFC 7515 section 4.1.6). */
  readonly certificate?: string;
  readonly signer: Signer;
}

let made: Promise<readonly OwnPair[]> | undefined;

/** Resolves with the key pairs of the attacker. They are made once, because an RSA pair takes a while. */
export function makeOwnPairs(): Promise<readonly OwnPair[]> {
  made ??= makePairs();
  return made;
}

async function makePairs(): Promise<readonly OwnPair[]> {
  const { key, certificate } = await makeOwnCertificate();
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ed = generateKeyPairSync('ed25519');
  return [
    {
      alg: 'RS256',
      publicKey: createPublicKey(key),
      certificate,
      signer: text => sign('sha256', Buffer.from(text), key),
    },
    { alg: 'ES256', publicKey: ec.publicKey, signer: text => sign('sha256', Buffer.from(text), ieee(ec.privateKey)) },
    { alg: 'EdDSA', publicKey: ed.publicKey, signer: text => sign(null, Buffer.from(text), ed.privateKey) },
  ];
}

/** JWS concatenates the two numbers of an ECDSA signature and does not use ASN.1 (RFC 7518 section 3.4). */
function ieee(key: KeyObject) {
  return { key, dsaEncoding: 'ieee-p1363' } as const;
}

/** Key ids that lead to known files, each with the key that this content would be. */
export const knownKeyFiles: readonly (readonly [kid: string, key: string])[] = [
  ['../../../../../../../../dev/null', ''],
  ['/dev/null', ''],
  ['../../../../../../../../proc/sys/kernel/ostype', 'Linux\n'],
];

export const signWithNothing: Signer = () => Buffer.alloc(0);

export function makeRandomToken(): string {
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

/** Makes an RSA key of the attacker with a certificate that only the attacker signed. */
export async function makeOwnCertificate(): Promise<{ readonly key: KeyObject; readonly certificate: string }> {
  // Loaded only when needed: few attacks use a certificate, and it takes a while to load.
  const { default: selfsigned } = await import('selfsigned');
  const { private: key, cert } = await selfsigned.generate([{ name: 'commonName', value: 'attacker.example' }], {
    keySize: 2048,
  });
  return { key: createPrivateKey(key), certificate: new X509Certificate(cert).raw.toString('base64') };
}
