import { type Attack, Tries } from '../attack.js';
import { type AttackBrowser, sessionCookie } from '../tools/browser.js';
import {
  currentHandleIn,
  expectStatus,
  handlesIn,
  isHonoured,
  type LoggedInUser,
  logIn,
  logInFreshUser,
  markEnded,
  reauthenticate,
  tryEndedEverywhere,
} from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

const handleProbes = {
  'the own list': ['unended-sessions'],
  'an end in the own list': ['careless-accounts'],
  "another user's list": ['careless-accounts'],
  "an end of another user's session": ['careless-accounts'],
  'a handle as a token': ['careless-accounts'],
} as const;

type HandleProbe = keyof typeof handleProbes;

export const foreignSessions: Attack = {
  title: "see or end another user's sessions by their handles; use an own session after it was ended in the list",
  asvs: ['7.5.2'],
  probes: handleProbes,
  run: tryHandles,
};

/** 401 is possible too: another backend may not know the session of the attacker. */
const handleRefusals = [401, 404];

async function tryHandles(target: Target) {
  const tries = new Tries<HandleProbe>();
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
    foreign.addRequest("another user's session was ended by its handle", answer, ...handleRefusals);
    foreign.add("another user's session was over after its handle was used", isOver, answer);
  }
  return tries.result();
}

/** Opens two sessions of one user, finds one of them in the list of the other, and ends it. */
async function tryOwn(target: Target, tries: Tries<HandleProbe>): Promise<void> {
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

const thiefProbes = {
  'one other session': ['careless-accounts'],
  'all other sessions': ['careless-accounts'],
  'all sessions': ['careless-accounts'],
} as const;

const invented = 'A'.repeat(43);
/** 400 refuses a body without a nonce. */
const thiefRefusals = [400, 403];

/** A thief of one cookie could log the owner out everywhere else, and so keep the account. */
export const endedByThief: Attack = {
  title: "end a user's other sessions with a stolen cookie and without the password",
  asvs: ['7.5.2'],
  probes: thiefProbes,
  run: tryThief,
};

async function tryThief(target: Target) {
  const tries = new Tries<keyof typeof thiefProbes>();
  for (const nonce of [undefined, '', invented]) {
    for (const [probe, path] of [
      ['one other session', '/account/sessions/end'],
      ['all other sessions', '/account/sessions/end-others'],
      ['all sessions', '/logout-everywhere'],
    ] as const) {
      const { user, browser: owner } = await logInFreshUser(target);
      const stolen = target.browser();
      await logIn(stolen, user, target.password);
      const fields = probe === 'one other session' ? { nonce, handle: await handleOf(owner) } : { nonce };
      const answer = await stolen.copy().post(path, fields);
      const how = nonce === undefined ? 'without a nonce' : `with the nonce "${nonce}"`;
      tries.of(probe).addRequest(`POST ${path} was carried out ${how}`, answer, ...thiefRefusals);
      tries.of(probe).add(`POST ${path} ended the session of the owner`, !(await isHonoured(owner, user)), answer);
    }
  }
  return tries.result();
}

/** Asks the owner for the handle. A weak shop lists sessions of other users to the thief, which other attacks use now. */
async function handleOf(owner: AttackBrowser): Promise<string | undefined> {
  return currentHandleIn(await owner.get('/account/sessions'));
}

const identityProbes = {
  'a header': ['careless-shop'],
  'the other cookies of the victim': ['careless-shop'],
} as const;

type IdentityProbe = keyof typeof identityProbes;

/** Only the token identifies a user: neither a header that a proxy might have set nor the backend does. */
export const claimedIdentity: Attack = {
  title: "act as another user: by a header that proxies set, or with one's own token and the victim's other cookies",
  asvs: ['7.2.1'],
  probes: identityProbes,
  run: tryToClaim,
};

const headerNames = [
  'x-user',
  'x-username',
  'x-user-id',
  'x-forwarded-user',
  'x-forwarded-preferred-username',
  'x-auth-user',
  'x-auth-request-user',
  'x-authenticated-user',
  'x-authenticated-userid',
  'x-remote-user',
  'remote-user',
  'x-real-user',
  'x-original-user',
  'x-webauth-user',
  'x-session',
  'x-session-user',
  'x-consumer-username',
  'x-ms-client-principal-name',
  'cf-access-authenticated-user-email',
  'from',
  'authorization',
  'session',
  'user',
];

async function tryToClaim(target: Target) {
  const tries = new Tries<IdentityProbe>();
  const victim = await logInFreshUser(target);
  // Leaves the cookie of a known browser with the victim, beside the one for the affinity.
  await reauthenticate(victim.browser, target.password);
  const attacker = await logInFreshUser(target);
  for (const origin of originsOf(target)) {
    for (const browser of [target.browser(origin), attacker.browser.copy(origin)])
      await tryHeaders(tries, browser, victim.user);
  }
  await tryOtherCookies(tries, attacker.browser, victim);
  return tries.result();
}

async function tryHeaders(tries: Tries<IdentityProbe>, browser: AttackBrowser, user: string): Promise<void> {
  for (const name of headerNames) {
    if (tries.of('a header').hasSucceeded) return;
    const value = name === 'authorization' ? `Bearer ${user}` : user;
    const answer = await browser.copy().get('/me', { headers: { [name]: value } });
    tries.of('a header').add(`the header ${name} was accepted as proof of ${user}`, answer.json.user === user, answer);
  }
}

/** Sends the session of the attacker with all other cookies of the victim. */
async function tryOtherCookies(
  tries: Tries<IdentityProbe>,
  attacker: AttackBrowser,
  victim: LoggedInUser,
): Promise<void> {
  const others = [...victim.browser.cookies].filter(([name]) => name !== sessionCookie);
  for (const path of ['/me', '/cart', '/account']) {
    const mixed = attacker.copy();
    for (const [name, value] of others) mixed.cookies.set(name, value);
    const answer = await mixed.get(path);
    const isVictim = answer.json.user === victim.user;
    tries
      .of('the other cookies of the victim')
      .add(`${path} with the other cookies of ${victim.user}`, isVictim, answer);
  }
}
