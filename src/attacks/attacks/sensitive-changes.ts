import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { type AttackBrowser, Inconclusive } from '../tools/browser.js';
import {
  enrolUser,
  expectStatus,
  isHonoured,
  logIn,
  logInBrowsers,
  logInFreshUser,
  markEnded,
  reauthenticate,
  tryEndedEverywhere,
} from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const invented = 'A'.repeat(43);
const newPassword = 'correct horse battery staple';
/** 400 refuses a body without a nonce. A 404 or 409 would mean that the nonce was not checked. */
const withoutNonce = [400, 403];

const nonceProbes = {
  'without a nonce': ['careless-accounts'],
  'with an empty nonce': ['careless-accounts'],
  'with an invented nonce': ['careless-accounts'],
  'with the nonce of another user': ['careless-accounts'],
  'with a nonce of another session': ['careless-accounts'],
  'with a wrong password': ['careless-accounts'],
  'as an ordinary user': ['unended-sessions'],
  'with one nonce twice': ['careless-accounts'],
  'with the token from before': ['trusting-sticky'],
} as const;

type NonceProbe = keyof typeof nonceProbes;

export const staleAuthentication: Attack = {
  title: "make a sensitive change without a new login: with no nonce, an invented one, another user's, or a used one",
  asvs: ['7.5.1', '7.5.3'],
  probes: nonceProbes,
  run: tryStale,
};

async function tryStale(target: Target) {
  const tries = new Tries<NonceProbe>();
  const [victim, attacker] = [await logInFreshUser(target), await logInFreshUser(target)];
  const elsewhere = target.browser();
  await logIn(elsewhere, victim.user, target.password);
  const nonces = [
    ['without a nonce', undefined],
    ['with an empty nonce', ''],
    ['with an invented nonce', invented],
    ['with the nonce of another user', await reauthenticate(attacker.browser, target.password)],
    ['with a nonce of another session', await reauthenticate(elsewhere, target.password)],
  ] as const;
  for (const [probe, nonce] of nonces) await trySensitive(tries.of(probe), victim.browser, probe, nonce);
  await tryWrongPassword(tries.of('with a wrong password'), (await logInFreshUser(target)).browser);
  await target.inTurn(() => tryAdministration(target, tries.of('as an ordinary user'), attacker.browser));
  await tryTwice(target, tries);
  return tries.result();
}

/** Sends each sensitive request, correct except for the nonce. */
async function trySensitive(
  tries: ProbeTries,
  browser: AttackBrowser,
  how: string,
  nonce: string | undefined,
): Promise<void> {
  const requests = [
    ['/account/totp', {}],
    ['/account/totp/remove', { others: 'keep' }],
    ['/account/password', { password: newPassword, others: 'keep' }],
  ] as const;
  for (const [path, fields] of requests) {
    // A success shows enough, and a new password costs much.
    if (tries.hasSucceeded) return;
    const answer = await browser.post(path, { ...fields, ...(nonce === undefined ? {} : { nonce }) });
    tries.addRequest(`POST ${path} was carried out ${how}`, answer, ...withoutNonce);
  }
}

async function tryWrongPassword(tries: ProbeTries, browser: AttackBrowser): Promise<void> {
  const answer = await browser.post('/account/reauthenticate', { password: 'not the password' });
  tries.addRequest('a wrong password was accepted as a fresh authentication', answer, 401);
}

/** Sends administrator requests with the own nonce of an ordinary user. */
async function tryAdministration(target: Target, tries: ProbeTries, browser: AttackBrowser): Promise<void> {
  const { user } = await logInFreshUser(target);
  const nonce = await reauthenticate(browser, target.password);
  const requests = [
    ['/admin/disable', { user }],
    ['/admin/end-sessions', { user }],
    ['/admin/enable', { user }],
  ] as const;
  for (const [path, fields] of requests) {
    const answer = await browser.post(path, { ...fields, nonce });
    tries.addRequest(`POST ${path} was carried out for a user without administrator rights`, answer, 403);
  }
}

/** Uses the right nonce once, which shows that the change is possible; then a second time. */
async function tryTwice(target: Target, tries: Tries<NonceProbe>): Promise<void> {
  const { browser } = await logInFreshUser(target);
  const nonce = await reauthenticate(browser, target.password);
  const body = { nonce, password: newPassword, others: 'keep' };
  const before = browser.copy();
  expectStatus(await browser.post('/account/password', body), 200, 'the change of the password');
  const again = await browser.post('/account/password', { ...body, password: target.password.repeat(2) });
  tries.of('with one nonce twice').addRequest('one nonce was accepted for two changes', again, 403);
  // With the session in the cookie, an old copy of the cookie still holds the nonce.
  const old = await before.post('/account/password', { ...body, password: target.password.repeat(2) });
  const what = 'one nonce was accepted for two changes, with the token from before the first';
  tries.of('with the token from before').addRequest(what, old, 401, 403);
}

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
