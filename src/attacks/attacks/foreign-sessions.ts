import { type Attack, Tries } from '../attack.js';
import { type AttackBrowser, type BrowserAnswer, sessionCookie } from '../tools/browser.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { expectStatus, isHonoured, logIn, logInFreshUser, reauthenticate, unexpected } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

export const foreignSessions: Attack = {
  title: "see or end another user's sessions by their handles; use an own session after it was ended in the list",
  asvs: ['7.5.2'],
  weak: ['careless-accounts'],
  run,
};

/** 401 too: with sessions in the memory of one backend, the other backends do not know the attacker. */
const refusals = [401, 404];

async function run(target: Target) {
  const tries = new Tries();
  await tryOwn(target, tries);
  const [victim, attacker] = [await logInFreshUser(target), await logInFreshUser(target)];
  const [handle = ''] = handlesIn(await victim.browser.get('/account/sessions'));
  const seen = await attacker.browser.get('/account/sessions');
  tries.add("another user's session is in the list", handlesIn(seen).includes(handle), seen);
  for (const origin of originsOf(target)) {
    const answer = await endByHandle((await logInFreshUser(target)).browser, target, handle, origin);
    const isOver = !(await isHonoured(victim.browser, victim.user));
    tries.addRequest("another user's session was ended by its handle", answer, ...refusals);
    tries.add("another user's session was over after its handle was used", isOver, answer);
  }
  const thief = attacker.browser.copy();
  thief.cookies.set(sessionCookie, handle);
  const answer = await thief.get('/me');
  tries.add('a handle opens the session that it names', answer.json.user === victim.user, answer);
  return tries.result();
}

/** Opens two sessions of one user, finds one of them in the list of the other, and ends it. */
async function tryOwn(target: Target, tries: Tries): Promise<void> {
  const { user, browser } = await logInFreshUser(target);
  const other = target.browser();
  await logIn(other, user, target.password);
  const handle = await handleOf(other);
  const seen = await browser.get('/account/sessions');
  const isListed = handlesIn(seen).includes(handle);
  tries.add('an own session is not in the list, so the user cannot end it', !isListed, seen);
  if (!isListed) return;
  expectStatus(await endByHandle(browser, target, handle), 200, 'the end of another own session');
  const ended = markEnded(target, user);
  await tryEndedEverywhere(target, tries, 'after its user ended it in the list', other, ended);
}

/** Gives the password again, and then asks for the end of the session at `origin`. */
async function endByHandle(browser: AttackBrowser, { password }: Target, handle: string, origin = browser.origin) {
  const nonce = await reauthenticate(browser, password);
  return browser.copy(origin).post('/account/sessions/end', { nonce, handle });
}

async function handleOf(browser: AttackBrowser): Promise<string> {
  const answer = await browser.get('/account/sessions');
  const current = linesOf(answer).find(({ current }) => current === true);
  if (typeof current?.handle === 'string') return current.handle;
  throw unexpected(answer, 'GET /account/sessions', 'a list with the current session');
}

function handlesIn(answer: BrowserAnswer): string[] {
  return linesOf(answer).flatMap(({ handle }) => (typeof handle === 'string' ? [handle] : []));
}

function linesOf(answer: BrowserAnswer): readonly Readonly<Record<string, unknown>>[] {
  const { sessions } = expectStatus(answer, 200, 'GET /account/sessions').json;
  if (Array.isArray(sessions)) return sessions.map(line => Object(line));
  throw unexpected(answer, 'GET /account/sessions', 'a list');
}
