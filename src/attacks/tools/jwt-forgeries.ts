import { createPublicKey, type JsonWebKey, randomBytes } from 'node:crypto';
import type { KeyRing } from '../../shared/key-ring.js';
import {
  buildCookie,
  deriveSigningKey,
  type Forgery,
  type Header,
  knownKeyFiles,
  makeHmacSigner,
  makeShopSigner,
  type OwnPair,
  signWithNothing,
  type TokenContent,
} from './forge.js';

/** The forgeries that each attack on signed tokens tries. Pure, except that it makes random keys. */

/** Makes tokens whose signature is missing, made over another text, or made with a guessed key (ASVS 9.1.1). */
export function forgeSignatures(header: Header, content: TokenContent, ownSignature: string): readonly Forgery[] {
  const own = Buffer.from(ownSignature, 'base64url');
  const [text = '', refresh = ''] = buildCookie(header, content, signWithNothing).split('.~');
  const signed = (probe: string, what: string, signer: Parameters<typeof buildCookie>[2]) => ({
    probe,
    what,
    token: buildCookie(header, content, signer),
  });
  return [
    signed('no signature', 'no signature', signWithNothing),
    { probe: 'no signature', what: 'no signature and no dot', token: `${text}~${refresh}` },
    signed('no signature', 'a signature of zeros', () => Buffer.alloc(32)),
    signed('no signature', 'one zero', () => Buffer.alloc(1)),
    {
      probe: 'another signature',
      what: 'one part too many',
      token: `${text}.${ownSignature}.${ownSignature}~${refresh}`,
    },
    signed('another signature', 'the signature of the own token', () => own),
    signed('another signature', 'half of the own signature', () => own.subarray(0, 16)),
    signed('another signature', 'the own signature twice', () => Buffer.concat([own, own])),
    ...listGuessedKeys(header).flatMap(key => [
      signed('a guessed key', `the key ${JSON.stringify(key)}`, makeHmacSigner(key)),
      signed('a guessed key', `the key derived from ${JSON.stringify(key)}`, makeHmacSigner(deriveSigningKey(key))),
    ]),
  ];
}

/** Lists keys that real systems have used. */
export function listGuessedKeys({ kid }: Header): readonly string[] {
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

/** Makes tokens with an algorithm that the shop does not use, or with none (ASVS 9.1.2). `publicKeys` are published. */
export function forgeAlgorithms(
  header: Header,
  content: TokenContent,
  ring: KeyRing,
  publicKeys: readonly JsonWebKey[],
): readonly Forgery[] {
  const nones = [
    ...listSpellings('none'),
    ...['none ', ' none', 'n\u043ene', '', 'null'],
    ...[null, undefined, false, 0, ['none'], {}],
  ];
  return [
    ...nones.map(alg => ({
      probe: 'alg "none"',
      what: `alg ${JSON.stringify(alg)}, no signature`,
      token: buildCookie({ ...header, alg }, content, signWithNothing),
    })),
    ...['384', '512'].map(bits => ({
      probe: 'another digest',
      what: `HS${bits} with the key of the shop`,
      token: buildCookie({ ...header, alg: `HS${bits}` }, content, makeShopSigner(ring, `sha${bits}`)),
    })),
    ...publicKeys.flatMap(key => forgeKeyConfusion(header, content, key)),
  ];
}

/** Lists every spelling of a word in small and capital letters. */
function listSpellings(word: string): readonly string[] {
  return Array.from({ length: 2 ** word.length }, (_, bits) =>
    [...word].map((letter, at) => ((bits >> at) & 1 ? letter.toUpperCase() : letter)).join(''),
  );
}

/**
 * Signs with a public key as if it were the shared secret. That fools a verifier that has both kinds of keys and lets
 * the token choose. No verifier knows a key of the attacker, so it takes a key that the system itself publishes.
 */
function forgeKeyConfusion(header: Header, content: TokenContent, jwk: JsonWebKey): readonly Forgery[] {
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const halves = [
    ['PEM', key.export({ type: 'spki', format: 'pem' })],
    ['DER', key.export({ type: 'spki', format: 'der' })],
    ['JWK', JSON.stringify(jwk)],
  ] as const;
  return halves.map(([form, half]) => ({
    probe: 'a published key',
    what: `HS256 with the ${form} of the published key as secret`,
    token: buildCookie({ ...header, alg: 'HS256' }, content, makeHmacSigner(half)),
  }));
}

/** Makes tokens that bring their own key, or that name a file as the key (ASVS 9.1.3). */
export function forgeWithOwnKeys(header: Header, content: TokenContent, pairs: readonly OwnPair[]): readonly Forgery[] {
  const secret = randomBytes(32);
  const jwk = { kty: 'oct', k: secret.toString('base64url'), alg: 'HS256', kid: header.kid };
  const made = (probe: string, what: string, more: Header, signer: Parameters<typeof buildCookie>[2]) => ({
    probe,
    what,
    token: buildCookie({ ...header, ...more }, content, signer),
  });
  return [
    made('a key in jwk', 'jwk with a secret', { jwk }, makeHmacSigner(secret)),
    ...pairs.flatMap(({ alg, publicKey, certificate, signer }) => [
      made('a key in jwk', `jwk for ${alg}`, { alg, jwk: publicKey.export({ format: 'jwk' }) }, signer),
      ...(certificate === undefined
        ? []
        : [made('a certificate in x5c', `x5c for ${alg}`, { alg, x5c: [certificate] }, signer)]),
    ]),
    ...knownKeyFiles.flatMap(([kid, key]) => [
      made('a file as kid', `kid ${JSON.stringify(kid)}`, { kid }, makeHmacSigner(key)),
      made('a file as kid', `kid ${JSON.stringify(kid)}, derived`, { kid }, makeHmacSigner(deriveSigningKey(key))),
    ]),
    made('a query as kid', `kid ${JSON.stringify(injection)}`, { kid: injection }, makeHmacSigner('known')),
    made(
      'a query as kid',
      `kid ${JSON.stringify(injection)}, derived`,
      { kid: injection },
      makeHmacSigner(deriveSigningKey('known')),
    ),
  ];
}

const injection = "x' UNION SELECT 'known' -- ";

const listenersKey = randomBytes(32);

/** The answer of the listener to every request. */
export const listenersAnswer = JSON.stringify({
  keys: [{ kty: 'oct', k: listenersKey.toString('base64url'), alg: 'HS256' }],
});

/** Makes tokens that name the address of their key (ASVS 9.1.3). `listener` is an origin that notes its requests. */
export function forgeKeyAddresses(header: Header, content: TokenContent, listener: string): readonly Forgery[] {
  const signer = makeHmacSigner(listenersKey);
  const named = (probe: string, more: (url: string) => Header) => {
    const fields = more(`${listener}/${probe}`);
    return { probe, what: JSON.stringify(fields), token: buildCookie({ ...header, ...fields }, content, signer) };
  };
  const issuer = `${listener}/iss`;
  const claims = { ...content.claims, iss: issuer };
  return [
    named('jku', url => ({ jku: url })),
    named('jku', url => ({ jku: url, kid: undefined })),
    named('jku', url => ({ jku: url, alg: 'RS256' })),
    named('x5u', url => ({ x5u: url })),
    named('x5u', url => ({ x5u: url, kid: undefined })),
    named('kid', url => ({ kid: url })),
    { probe: 'iss', what: 'the listener as issuer', token: buildCookie(header, { ...content, claims }, signer) },
  ];
}

/** Makes well-signed tokens with an extension that must be understood (RFC 7515 section 4.1.11). */
export function forgeExtensions(header: Header, content: TokenContent, ring: KeyRing): readonly Forgery[] {
  const more: readonly Header[] = [{ crit: ['exp'] }, { crit: ['b64'], b64: false }, { crit: [] }];
  return more.map(extra => ({
    probe: 'an unknown extension',
    what: `${JSON.stringify(extra)} under a good signature`,
    token: buildCookie({ ...header, ...extra }, content, makeShopSigner(ring)),
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
    probe: Object.keys(change)[0] ?? '',
    what: describeChange(change),
    token: buildCookie(header, { ...content, claims: { ...content.claims, ...change } }, makeShopSigner(ring)),
  }));
}

function describeChange(change: Header): string {
  const words = Object.entries(change).map(([name, value]) =>
    value === undefined ? `no ${name}` : `${name} ${JSON.stringify(value)}`,
  );
  return words.join(', ');
}

/** Lists wrong times for claims (ASVS 9.2.1). `nowS` is in seconds since 1970. */
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
