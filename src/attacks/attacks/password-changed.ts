import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { expectStatus, isHonoured, logIn, logInFreshUser, reauthenticate } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const others = 3;
const newPassword = 'correct horse battery staple';

const probes = {
  'another session': ['unended-sessions'],
  'the token from before': ['trusting-sticky'],
  'the old password': ['unended-sessions'],
} as const;

export const passwordChanged: Attack = {
  title: 'use the other sessions or the old password of a user after a password change that ends the other sessions',
  asvs: ['7.4.3'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  const { user, browser } = await logInFreshUser(target);
  const stolen = Array.from({ length: others }, () => target.browser());
  for (const thief of stolen) await logIn(thief, user, target.password);
  const nonce = await reauthenticate(browser, target.password);
  const before = browser.copy();
  const body = { nonce, password: newPassword, others: 'end' };
  expectStatus(await browser.post('/account/password', body), 200, 'the change of the password');
  const ended = markEnded(target, user);
  if (!(await isHonoured(browser, user))) throw new Inconclusive('the session that changed the password ended too');
  for (const thief of stolen)
    await tryEndedEverywhere(target, tries.of('another session'), 'after a password change', thief, ended);
  const old = tries.of('the token from before');
  await tryEndedEverywhere(target, old, 'with the token from before a password change', before, ended);
  const again = await target.browser().post('/login', { user, password: target.password });
  tries.of('the old password').addRequest('the old password still opens the account', again, 401);
  return tries.result();
}
