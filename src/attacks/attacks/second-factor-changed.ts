import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { AttackBrowser } from '../tools/browser.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { enrolUser } from '../tools/second-factor.js';
import { expectStatus, isHonoured, logIn } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
  'a new second factor': ['unended-sessions'],
  'a removed second factor': ['unended-sessions'],
} as const;

const others = 2;

export const secondFactorChanged: Attack = {
  title: 'use the other sessions of a user after a second factor was set up or removed, which ends the other sessions',
  asvs: ['7.4.3'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  const user = target.freshUser();
  const stolen = await logInOthers(target, user);
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
  const stolen = await logInOthers(target, user);
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

async function logInOthers(target: Target, user: string): Promise<readonly AttackBrowser[]> {
  const browsers = Array.from({ length: others }, () => target.browser());
  for (const browser of browsers) await logIn(browser, user, target.password);
  return browsers;
}
