import { setTimeout as sleep } from 'node:timers/promises';
import { notApplicable, UnnamedTries } from '../../attack.js';
import { type AppUnderAttack, addUse, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import { openToken } from '../tools/forged-tokens.js';

const waitMaxMs = 8_000;
/** Apps may accept a token for a few seconds after its end, because clocks differ. */
const toleranceMs = 6_000;

export const jwtExpired: AppAttack = {
  title: 'a token after its expiry, if it expires within a few seconds',
  asvs: ['9.2.1'],
  run,
};

async function run(app: AppUnderAttack) {
  const opened = await openToken(app);
  if ('none' in opened) return opened.none;
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
