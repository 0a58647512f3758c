import { type Attack, Tries } from '../attack.js';
import type { AttackBrowser } from '../tools/browser.js';
import { expectStatus, logIn, logInFreshUser, reauthenticate } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const invented = 'A'.repeat(43);
const newPassword = 'correct horse battery staple';
/** 400 refuses a body without a nonce. A 404 or 409 would mean that the nonce was not checked. */
const withoutNonce = [400, 403];

export const staleAuthentication: Attack = {
  title: "make a sensitive change without a new login: with no nonce, an invented one, another user's, or a used one",
  asvs: ['7.5.1', '7.5.3'],
  weak: ['careless-accounts'],
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  const [victim, attacker] = [await logInFreshUser(target), await logInFreshUser(target)];
  const elsewhere = target.browser();
  await logIn(elsewhere, victim.user, target.password);
  const nonces = {
    'without a nonce': undefined,
    'with an empty nonce': '',
    'with an invented nonce': invented,
    'with the nonce of another user': await reauthenticate(attacker.browser, target.password),
    'with a nonce of another session of the same user': await reauthenticate(elsewhere, target.password),
  };
  for (const [how, nonce] of Object.entries(nonces)) await trySensitive(tries, victim.browser, how, nonce);
  // The password may have been changed by now, so the following tries would be meaningless.
  if (tries.succeeded) return tries.result();
  await tryWrongPassword(tries, victim.browser);
  await tryAdministration(target, tries, attacker.browser, victim.user);
  await tryTwice(target, tries, victim.browser);
  return tries.result();
}

/** Sends each sensitive request, correct except for the nonce. */
async function trySensitive(
  tries: Tries,
  browser: AttackBrowser,
  how: string,
  nonce: string | undefined,
): Promise<void> {
  const requests = [
    ['/account/password', { password: newPassword, others: 'keep' }],
    ['/account/totp', {}],
    ['/account/totp/remove', { others: 'keep' }],
  ] as const;
  for (const [path, fields] of requests) {
    const answer = await browser.post(path, { ...fields, ...(nonce === undefined ? {} : { nonce }) });
    tries.addRequest(`POST ${path} was carried out ${how}`, answer, ...withoutNonce);
  }
}

async function tryWrongPassword(tries: Tries, browser: AttackBrowser): Promise<void> {
  const answer = await browser.post('/account/reauthenticate', { password: 'not the password' });
  tries.addRequest('a wrong password was accepted as a fresh authentication', answer, 401);
}

/** Sends administrator requests with the own nonce of an ordinary user. */
async function tryAdministration(target: Target, tries: Tries, browser: AttackBrowser, user: string): Promise<void> {
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
async function tryTwice(target: Target, tries: Tries, browser: AttackBrowser): Promise<void> {
  const nonce = await reauthenticate(browser, target.password);
  const body = { nonce, password: newPassword, others: 'keep' };
  const before = browser.copy();
  expectStatus(await browser.post('/account/password', body), 200, 'the change of the password');
  const again = await browser.post('/account/password', { ...body, password: target.password.repeat(2) });
  tries.addRequest('one nonce was accepted for two changes', again, 403);
  // With the session in the cookie, an old copy of the cookie still holds the nonce.
  const old = await before.post('/account/password', { ...body, password: target.password.repeat(2) });
  tries.addRequest('one nonce was accepted for two changes, with the token from before the first', old, 401, 403);
}
