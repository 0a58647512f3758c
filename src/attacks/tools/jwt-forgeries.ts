import { randomBytes } from 'node:crypto';
import type { KeyRing } from '../../shared/key-ring.js';
import {
  cookieOf,
  type Forgery,
  type Header,
  hmac,
  makeShopSigner,
  ownPairs,
  randomToken,
  signWithNothing,
  type TokenContent,
} from './forge-jwt.js';

/** The forgeries that each attack on signed tokens tries. Pure, except that it makes random keys. */

/** Makes tokens whose signature is missing, malformed, or made over another text (ASVS 9.1.1). */
export function forgeSignatures(header: Header, content: TokenContent, ownSignature: string): readonly Forgery[] {
  const own = Buffer.from(ownSignature, 'base64url');
  const [text = '', refresh = ''] = cookieOf(header, content, signWithNothing).split('.~');
  const signed = (what: string, signer: Parameters<typeof cookieOf>[2]) => ({
    what,
    token: cookieOf(header, content, signer),
  });
  return [
    signed('no signature', signWithNothing),
    { what: 'no signature and no dot', token: `${text}~${refresh}` },
    { what: 'one part too many', token: `${text}.${ownSignature}.${ownSignature}~${refresh}` },
    signed('the signature of the own token', () => own),
    signed('a signature of zeros', () => Buffer.alloc(32)),
    signed('a signature of ones', () => Buffer.alloc(32, 0xff)),
    signed('one zero', () => Buffer.alloc(1)),
    signed('half of the own signature', () => own.subarray(0, 16)),
    signed('the own signature twice', () => Buffer.concat([own, own])),
    signed('a key of the attacker', hmac(randomBytes(32))),
    ...listGuessedKeys(header).map(key => signed(`the key ${JSON.stringify(key)}`, hmac(key))),
  ];
}

/** Lists keys that real systems have used. */
function listGuessedKeys({ kid }: Header): readonly string[] {
  return [
    '',
    '\0',
    'secret',
    'changeme',
    'password',
    'your-256-bit-secret',
    'holdfast',
    String(kid),
    'undefined',
    'null',
  ];
}

/** Makes tokens with an algorithm that the shop does not use, or with none (ASVS 9.1.2). */
export function forgeAlgorithms(header: Header, content: TokenContent, ownSignature: string): readonly Forgery[] {
  const own = Buffer.from(ownSignature, 'base64url');
  const nones = [
    ...listSpellings('none'),
    'none ',
    ' none',
    'n\u043ene',
    '',
    'null',
    null,
    undefined,
    false,
    0,
    ['none'],
    {},
  ];
  const unsignedTokens = nones.flatMap(alg => [
    { what: `alg ${JSON.stringify(alg)}, no signature`, token: cookieOf({ ...header, alg }, content, signWithNothing) },
    { what: `alg ${JSON.stringify(alg)}, the own signature`, token: cookieOf({ ...header, alg }, content, () => own) },
  ]);
  return [
    ...unsignedTokens,
    ...forgeOtherDigests(header, content),
    ...ownPairs().flatMap(pair => forgeKeyConfusion(header, content, pair)),
  ];
}

/** Lists every spelling of a word in small and capital letters. */
function listSpellings(word: string): readonly string[] {
  return Array.from({ length: 2 ** word.length }, (_, bits) =>
    [...word].map((letter, at) => ((bits >> at) & 1 ? letter.toUpperCase() : letter)).join(''),
  );
}

function forgeOtherDigests(header: Header, content: TokenContent): readonly Forgery[] {
  return ['384', '512'].map(bits => ({
    what: `HS${bits} with a key of the attacker`,
    token: cookieOf({ ...header, alg: `HS${bits}` }, content, hmac(randomBytes(64), `sha${bits}`)),
  }));
}

/**
 * Makes tokens signed with a private key, for an algorithm that the shop does not use. Then signs with the public key
 * as if it were the shared secret. That fools a verifier that has both kinds of keys and lets the token choose.
 */
function forgeKeyConfusion(
  header: Header,
  content: TokenContent,
  { alg, publicKey, signer }: ReturnType<typeof ownPairs>[number],
) {
  const halves = [
    ['PEM', publicKey.export({ type: 'spki', format: 'pem' })],
    ['DER', publicKey.export({ type: 'spki', format: 'der' })],
    ['JWK', JSON.stringify(publicKey.export({ format: 'jwk' }))],
  ] as const;
  return [
    { what: `${alg} with a key of the attacker`, token: cookieOf({ ...header, alg }, content, signer) },
    ...halves.map(([form, half]) => ({
      what: `HS256 with the ${form} of a public ${alg} key as secret`,
      token: cookieOf(header, content, hmac(half)),
    })),
  ];
}

/** Makes tokens that bring their own key, or that name a file as the key (ASVS 9.1.3). */
export function forgeWithOwnKeys(header: Header, content: TokenContent): readonly Forgery[] {
  const secret = randomBytes(32);
  const jwk = { kty: 'oct', k: secret.toString('base64url'), alg: 'HS256', kid: header.kid };
  const made = (what: string, more: Header, signer: Parameters<typeof cookieOf>[2]) => ({
    what,
    token: cookieOf({ ...header, ...more }, content, signer),
  });
  return [
    made('jwk with a secret', { jwk }, hmac(secret)),
    ...ownPairs().flatMap(({ alg, publicKey, signer }) => [
      made(`jwk for ${alg}`, { alg, jwk: publicKey.export({ format: 'jwk' }) }, signer),
      made(
        `x5c for ${alg}`,
        { alg, x5c: [publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
        signer,
      ),
    ]),
    ...kids.map(([kid, key]) => made(`kid ${JSON.stringify(kid)}`, { kid }, hmac(key))),
  ];
}

/** Key ids that lead to known content, each with the key that this content would be. */
const kids: readonly (readonly [kid: unknown, key: string])[] = [
  ['../../../../../../../../dev/null', ''],
  ['/dev/null', ''],
  ['..%2f..%2f..%2f..%2f..%2fdev%2fnull', ''],
  ['../../../../../../../../dev/null\0.key', ''],
  ['../../../../../../../../proc/sys/kernel/ostype', 'Linux\n'],
  ['file:///dev/null', ''],
  ["x' UNION SELECT 'known' -- ", 'known'],
  ['__proto__', '[object Object]'],
  ['constructor', ''],
  [undefined, ''],
  [null, ''],
  [0, ''],
  [[], ''],
];

const listenersKey = randomBytes(32);

/** The answer of the listener to every request. */
export const listenersAnswer = JSON.stringify({
  keys: [{ kty: 'oct', k: listenersKey.toString('base64url'), alg: 'HS256' }],
});

/** Makes tokens that name the address of their key (ASVS 9.1.3). `listener` is an origin that counts connections. */
export function forgeKeyAddresses(header: Header, content: TokenContent, listener: string): readonly Forgery[] {
  const url = `${listener}/keys.json`;
  const named: readonly Header[] = [
    { jku: url },
    { x5u: url },
    { jku: url, kid: undefined },
    { x5u: url, kid: undefined },
    { kid: url },
    { jku: url, alg: 'RS256' },
    { jwk: { $ref: url } },
    { jku: [url] },
    { iss: listener },
  ];
  const signer = hmac(listenersKey);
  return [
    ...named.map(more => ({ what: JSON.stringify(more), token: cookieOf({ ...header, ...more }, content, signer) })),
    {
      what: 'the listener as issuer',
      token: cookieOf(header, { ...content, claims: { ...content.claims, iss: listener } }, signer),
    },
  ];
}

/** Makes well-signed tokens with extensions that change how a token is read (RFC 7515 section 4.1.11). */
export function forgeExtensions(header: Header, content: TokenContent, ring: KeyRing): readonly Forgery[] {
  const more: readonly Header[] = [
    { crit: ['exp'] },
    { crit: ['b64'], b64: false },
    { crit: [] },
    { zip: 'DEF' },
    { jwk: { kty: 'oct', k: randomToken() } },
  ];
  return more.map(extra => ({
    what: `${JSON.stringify(extra)} under a good signature`,
    token: cookieOf({ ...header, ...extra }, content, makeShopSigner(ring)),
  }));
}

/** Makes well-signed tokens with wrong claims, as from another service that shares the key. */
export function forgeClaims(
  header: Header,
  content: TokenContent,
  ring: KeyRing,
  changes: readonly Header[],
): readonly Forgery[] {
  return changes.map(change => ({
    what: describeChange(change),
    token: cookieOf(header, { ...content, claims: { ...content.claims, ...change } }, makeShopSigner(ring)),
  }));
}

function describeChange(change: Header): string {
  const words = Object.entries(change).map(([name, value]) =>
    value === undefined ? `no ${name}` : `${name} ${JSON.stringify(value)}`,
  );
  return words.join(', ');
}

/** Lists wrong times for claims (ASVS 9.2.1). `nowS` is in seconds since the epoch. */
export function listWrongTimes(nowS: number): readonly Header[] {
  const day = 86_400;
  return [
    { exp: undefined },
    { exp: String(Math.floor(nowS) + 60) },
    { exp: null },
    { exp: true },
    { exp: [nowS + 60] },
    { exp: {} },
    { exp: '' },
    { exp: nowS - 60, iat: nowS - 120 },
    { exp: 0 },
    { exp: -1 },
    { exp: nowS + 10 * 365 * day },
    { exp: Number.MAX_SAFE_INTEGER },
    { exp: 1e300 },
    { exp: Math.round(nowS * 1000) + 60_000, iat: Math.round(nowS * 1000) },
    { iat: undefined },
    { iat: String(nowS) },
    { iat: nowS + day, exp: nowS + day + 60 },
    { nbf: nowS + day },
    { nbf: String(nowS) },
    { nbf: null },
    { absolute: nowS * 1000 - 1 },
    { absolute: undefined },
  ];
}

/** Lists wrong audiences and issuers (ASVS 9.2.3 and 9.2.4). */
export function listForeignClaims(claims: Header): readonly Header[] {
  const aud = String(claims.aud);
  const iss = String(claims.iss);
  return [
    { aud: undefined },
    { aud: null },
    { aud: '' },
    { aud: 'another:shop' },
    { aud: aud.toUpperCase() },
    { aud: aud.slice(0, -1) },
    { aud: `${aud}/admin` },
    { aud: [] },
    { aud: ['another:shop'] },
    { aud: '*' },
    { aud: true },
    { aud: { [aud]: true } },
    { iss: undefined },
    { iss: 'another' },
    { iss: `${iss}.example` },
    { iss: [iss] },
  ];
}
