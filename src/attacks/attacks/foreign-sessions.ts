import { type Attack, Tries } from '../attack.js';
import { type AttackBrowser, sessionCookie } from '../tools/browser.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { currentHandleIn, handlesIn } from '../tools/session-list.js';
import { expectStatus, isHonoured, logIn, logInFreshUser, reauthenticate } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

const probes = {
  'the own list': ['unended-sessions'],
  'an end in the own list': ['careless-accounts'],
  "another user's list": ['careless-accounts'],
  "an end of another user's session": ['careless-accounts'],
  'a handle as a token': ['careless-accounts'],
} as const;

type Probe = keyof typeof probes;

export const foreignSessions: Attack = {
  title: "see or end another user's sessions by their handles; use an own session after it was ended in the list",
  asvs: ['7.5.2'],
  probes,
  run,
};

/** 401 too: with sessions in the memory of one backend, the other backends do not know the attacker. */
const refusals = [401, 404];

async function run(target: Target) {
  const tries = new Tries<Probe>();
  await tryOwn(target, tries);
  const [victim, attacker] = [await logInFreshUser(target), await logInFreshUser(target)];
  const handle = currentHandleIn(await victim.browser.get('/account/sessions'));
  // Without a list there is no handle to try. `tryOwn` has recorded that.
  if (handle === undefined) return tries.result();
  for (const origin of originsOf(target)) {
    const seen = await attacker.browser.copy(origin).get('/account/sessions');
    const isSeen = seen.status === 200 && handlesIn(seen).includes(handle);
    tries.of("another user's list").add("another user's session is in the list", isSeen, seen);
  }
  const thief = attacker.browser.copy();
  thief.cookies.set(sessionCookie, handle);
  const opened = await thief.get('/me');
  const isOpen = opened.json.user === victim.user;
  tries.of('a handle as a token').add('a handle opens the session that it names', isOpen, opened);
  const foreign = tries.of("an end of another user's session");
  for (const origin of originsOf(target)) {
    // A fresh session for each try, because a fresh authentication replaces the token.
    const answer = await endByHandle((await logInFreshUser(target)).browser, target, handle, origin);
    const isOver = !(await isHonoured(victim.browser, victim.user));
    foreign.addRequest("another user's session was ended by its handle", answer, ...refusals);
    foreign.add("another user's session was over after its handle was used", isOver, answer);
  }
  return tries.result();
}

/** Opens two sessions of one user, finds one of them in the list of the other, and ends it. */
async function tryOwn(target: Target, tries: Tries<Probe>): Promise<void> {
  const { user, browser } = await logInFreshUser(target);
  const other = target.browser();
  await logIn(other, user, target.password);
  const handle = currentHandleIn(await other.get('/account/sessions'));
  const seen = await browser.get('/account/sessions');
  const isListed = handle !== undefined && handlesIn(seen).includes(handle);
  tries.of('the own list').add('an own session is not in the list, so the user cannot end it', !isListed, seen);
  if (!isListed) return;
  expectStatus(await endByHandle(browser, target, handle), 200, 'the end of another own session');
  const ended = markEnded(target, user);
  const probe = tries.of('an end in the own list');
  await tryEndedEverywhere(target, probe, 'after its user ended it in the list', other, ended);
}

/** Gives the password again, and then asks for the end of the session at `origin`. */
async function endByHandle(browser: AttackBrowser, { password }: Target, handle: string, origin = browser.origin) {
  const nonce = await reauthenticate(browser, password);
  return browser.copy(origin).post('/account/sessions/end', { nonce, handle });
}
