import { UnnamedTries } from '../../attack.js';
import { hmac } from '../../tools/forge-jwt.js';
import type { AppUnderAttack } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import { openToken, tryForged } from '../tools/forged-tokens.js';
import { buildJwt, claimOther, findSecret } from '../tools/jwt.js';

export const jwtSignature: AppAttack = {
  title:
    'a token with a changed payload, with a signature that is cut, empty or made with another key; guessed secrets',
  asvs: ['9.1.1'],
  run,
};

async function run(app: AppUnderAttack) {
  const opened = await openToken(app);
  if ('none' in opened) return opened.none;
  const { attacker, victim, jwt } = opened;
  const secret = findSecret(jwt);
  if (secret !== undefined) {
    const tries = new UnnamedTries();
    tries.add(`the token is signed with the secret "${secret}", which was guessed`, true, attacker.login);
    return tries.conclude();
  }
  const { header, claims, signature } = jwt;
  const other = claimOther(claims, attacker.user, victim.user);
  const head = jwt.text.slice(0, jwt.text.lastIndexOf('.'));
  return tryForged(app, opened, [
    { what: 'a changed payload', token: buildJwt(header, other, () => signature) },
    { what: 'a changed payload and no signature', token: buildJwt(header, other, () => '') },
    {
      what: 'a changed payload, signed by the attacker',
      token: buildJwt(header, other, hmac('key of the attacker')),
    },
    { what: 'an empty signature', token: `${head}.` },
    { what: 'half of its signature', token: `${head}.${signature.slice(0, signature.length >> 1)}` },
    { what: 'a signature of zeros', token: `${head}.${'A'.repeat(signature.length)}` },
  ]);
}
