import {
  createCipheriv,
  createDecipheriv,
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
import { type AttackResult, Tries } from '../attack.js';
import { Inconclusive } from './browser.js';
import { expectStatus, userOf } from './shop.js';
import type { Target } from './target.js';

/*
 * Forged tokens. The attacker knows what tokens of this shop look like, because every user can read their own token.
 * The attacker also has keys of their own. A forgery made with the key ring stands for another service with that key.
 */

type ForgedClaims = Readonly<Record<string, unknown>>;
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
async function makeOwnCertificate(): Promise<{ readonly key: KeyObject; readonly certificate: string }> {
  // Loaded only when needed: few attacks use a certificate, and it takes a while to load.
  const { default: selfsigned } = await import('selfsigned');
  const { private: key, cert } = await selfsigned.generate([{ name: 'commonName', value: 'attacker.example' }], {
    keySize: 2048,
  });
  return { key: createPrivateKey(key), certificate: new X509Certificate(cert).raw.toString('base64') };
}

/*
 * Forged sealed tokens. The attacker knows their format too, because the source of the shop is public.
 */

export const nonceBytes = 12;
export const tagBytes = 16;
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

/*
 * How forged tokens of either kind are sent.
 */

/** Sends a token to GET /me. Resolves with the answer and the user that it names. */
export async function fetchUser(target: Target, token: string, origin?: string) {
  const answer = await target.browser(origin).thief(token).get('/me');
  return { user: userOf(answer), answer: expectStatus(answer, 200, 'GET /me') };
}

/**
 * Shows that forged content is right: made with the genuine key, it is accepted as the victim. So every refusal of a
 * forgery is due to what is wrong with it. Rejects with `Inconclusive`.
 */
export async function proveContent(target: Target, sound: string, victim: string): Promise<void> {
  if ((await fetchUser(target, sound)).user === victim) return;
  throw new Inconclusive(
    'the same content made with the genuine key is not accepted, so the forgeries would prove nothing',
  );
}

/** Sends every forgery. A probe ends with its first success. */
export async function sendForgeries(
  target: Target,
  forgeries: readonly Forgery[],
  tries = new Tries(),
): Promise<AttackResult> {
  for (const { probe, what, token } of forgeries) {
    if (tries.of(probe).hasSucceeded) continue;
    const { user, answer } = await fetchUser(target, token);
    tries.of(probe).add(`${what}: accepted as ${user}`, user !== undefined, answer);
  }
  return tries.result();
}
