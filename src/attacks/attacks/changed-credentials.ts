import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { enrolUser } from '../tools/second-factor.js';
import { expectStatus, isHonoured, logInBrowsers, logInFreshUser, reauthenticate } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const newPassword = 'correct horse battery staple';

const passwordProbes = {
  'another session': ['unended-sessions'],
  'the token from before': ['trusting-sticky'],
  'the old password': ['unended-sessions'],
} as const;

export const passwordChanged: Attack = {
  title: 'use the other sessions or the old password of a user after a password change that ends the other sessions',
  asvs: ['7.4.3'],
  probes: passwordProbes,
  run: tryAfterNewPassword,
};

async function tryAfterNewPassword(target: Target) {
  const tries = new Tries<keyof typeof passwordProbes>();
  const { user, browser } = await logInFreshUser(target);
  const stolen = await logInBrowsers(target, user, 3);
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

const secondFactorProbes = {
  'a new second factor': ['unended-sessions'],
  'a removed second factor': ['unended-sessions'],
} as const;

export const secondFactorChanged: Attack = {
  title: 'use the other sessions of a user after a second factor was set up or removed, which ends the other sessions',
  asvs: ['7.4.3'],
  probes: secondFactorProbes,
  run: tryAfterNewSecondFactor,
};

async function tryAfterNewSecondFactor(target: Target) {
  const tries = new Tries<keyof typeof secondFactorProbes>();
  const user = target.freshUser();
  const stolen = await logInBrowsers(target, user, 2);
  const { browser } = await enrolUser(target, { user, others: 'end' });
  const ended = markEnded(target, user);
  if (!(await isHonoured(browser, user))) throw new Inconclusive('the session that set it up ended too');
  for (const thief of stolen)
    await tryEndedEverywhere(target, tries.of('a new second factor'), 'after a new second factor', thief, ended);
  await tryRemoval(target, tries.of('a removed second factor'));
  return tries.result();
}

async function tryRemoval(target: Target, tries: ProbeTries): Promise<void> {
  const user = target.freshUser();
  const stolen = await logInBrowsers(target, user, 2);
  const { browser, code, usedStep } = await enrolUser(target, { user });
  const proof = await browser.post('/account/reauthenticate', { password: target.password, code: code(usedStep + 1) });
  const { nonce } = expectStatus(proof, 200, 'the fresh authentication').json;
  const answer = await browser.post('/account/totp/remove', { nonce, others: 'end' });
  expectStatus(answer, 200, 'the removal of the second factor');
  const ended = markEnded(target, user);
  if (!(await isHonoured(browser, user))) throw new Inconclusive('the session that removed it ended too');
  for (const thief of stolen)
    await tryEndedEverywhere(target, tries, 'after the second factor was removed', thief, ended);
}
