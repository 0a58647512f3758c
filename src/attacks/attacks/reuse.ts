import { type Attack, notApplicable, type ProbeTries, Tries } from '../attack.js';
import { type AttackBrowser, type BrowserAnswer, Inconclusive } from '../tools/browser.js';
import {
  buildUnexpected,
  type EndedSession,
  isHonoured,
  logIn,
  logInBrowsers,
  logInFreshUser,
  logOut,
  markEnded,
  sendAsAdministrator,
  tryEnded,
  tryEndedEverywhere,
} from '../tools/shop.js';
import type { Target } from '../tools/target.js';

export const reuseAfterLogout: Attack = {
  title: 'use a token after its logout, through the proxy and on every backend',
  asvs: ['7.4.1'],
  probes: { 'the token': ['unended-sessions', 'jwt-without-denylist', 'sealed-without-denylist'] },
  run: tryAfterLogout,
};

async function tryAfterLogout(target: Target) {
  const tries = new Tries();
  const probe = tries.of('the token');
  const { user, browser } = await logInFreshUser(target);
  const kept = browser.copy();
  await logOut(browser);
  const ended = markEnded(target, user);
  await tryEnded(probe, 'the token was accepted through the proxy after its logout', kept, ended);
  for (const { name, url } of target.backends)
    await tryEnded(probe, `the token was accepted by ${name} after its logout`, kept.copy(url), ended);
  return tries.result();
}

const failoverProbes = {
  'after a death': ['unended-sessions'],
  'after a restart': ['sessions-on-disk'],
} as const;

export const reuseAfterFailover: Attack = {
  title:
    'use a token after its logout: when the backend that handled it dies, and when a backend that missed it restarts',
  asvs: ['7.4.1'],
  probes: failoverProbes,
  alone: true,
  run: tryAfterFailover,
};

async function tryAfterFailover(target: Target) {
  const tries = new Tries<keyof typeof failoverProbes>();
  const killed = await dieAfterLogout(target, tries.of('after a death'));
  await target.restart(killed);
  await comeBackAfterLogout(target, tries.of('after a restart'));
  return tries.result();
}

/** Kills the backend that handled the logout as soon as it has answered. */
async function dieAfterLogout(target: Target, tries: ProbeTries): Promise<string> {
  const { user, browser } = await logInFreshUser(target);
  const kept = browser.copy();
  const name = backendOf(await logOut(browser));
  const ended = markEnded(target, user);
  await target.kill(name);
  await tryAll(target, tries, kept, ended, 'after its logout and the death of the backend that handled it', name);
  return name;
}

/** Kills the backend of the user, logs out on another one, and restarts the killed one. */
async function comeBackAfterLogout(target: Target, tries: ProbeTries): Promise<void> {
  const { user, browser } = await logInFreshUser(target);
  const kept = browser.copy();
  const name = backendOf(await browser.get('/me'));
  await target.kill(name);
  // A session in the memory of one backend died with it.
  if (!(await isHonoured(browser, user))) await logIn(browser, user, target.password);
  const later = browser.copy();
  await logOut(browser);
  const ended = markEnded(target, user);
  await target.restart(name);
  for (const thief of [kept, later])
    await tryAll(target, tries, thief, ended, `after its logout and the restart of ${name}`);
}

async function tryAll(
  target: Target,
  tries: ProbeTries,
  thief: AttackBrowser,
  ended: EndedSession,
  when: string,
  dead?: string,
): Promise<void> {
  await tryEnded(tries, `a token was accepted through the proxy ${when}`, thief, ended);
  for (const { name, url } of target.backends.filter(backend => backend.name !== dead))
    await tryEnded(tries, `a token was accepted by ${name} ${when}`, thief.copy(url), ended);
}

function backendOf({ headers }: { readonly headers: Readonly<Record<string, string>> }): string {
  const name = headers['holdfast-backend'];
  if (name === undefined) throw new Inconclusive('an answer does not name its backend');
  return name;
}

const storeProbes = {
  'a session that ended before': ['sealed-without-denylist', 'jwt-without-denylist'],
  'a session that was ended afterwards': ['sealed-without-denylist'],
  'a user who was disabled afterwards': ['sealed-without-denylist'],
} as const;

/**
 * A store that crashed may come back without its data. Then it knows neither the ended sessions nor the live ones. It
 * may lose sessions, but an ended session must stay ended.
 */
export const storeLost: Attack = {
  title: 'use a token after the store came back without its data: of a session that had ended, or is ended then',
  asvs: ['7.4.1', '7.4.2'],
  probes: storeProbes,
  alone: true,
  run: tryAfterStoreLoss,
};

async function tryAfterStoreLoss(target: Target) {
  if (!target.hasStore) return notApplicable('there is no store: the sessions are in the backends');
  const tries = new Tries<keyof typeof storeProbes>();
  const leaving = await logInFreshUser(target);
  const kept = leaving.browser.copy();
  const [ended, disabled] = [await logInFreshUser(target), await logInFreshUser(target)];
  await logOut(leaving.browser);
  const before = markEnded(target, leaving.user);
  await target.loseStore();
  await tryEndedEverywhere(target, tries.of('a session that ended before'), 'after its store was lost', kept, before);
  for (const [probe, path, { user, browser }] of [
    ['a session that was ended afterwards', '/admin/end-sessions', ended],
    ['a user who was disabled afterwards', '/admin/disable', disabled],
  ] as const) {
    await sendAsAdministrator(target, path, { user });
    const now = markEnded(target, user);
    await tryEndedEverywhere(target, tries.of(probe), `after POST ${path} and the loss of the store`, browser, now);
  }
  // A system that refuses every user after the loss has ended no session.
  await logIn(target.browser(), target.freshUser(), target.password);
  return tries.result();
}

const rounds = 3;
const roundsMax = 10;
const slowMs = 400;

const inFlightProbes = {
  'the token from before': ['careless-accounts'],
  'the cookies of the slow request': ['careless-accounts', 'sealed-without-denylist'],
} as const;

type InFlightProbe = keyof typeof inFlightProbes;

export const logoutInFlight: Attack = {
  title: 'log out while a slow request of the same session is in progress, so that the request restores the session',
  asvs: ['7.4.1'],
  probes: inFlightProbes,
  run: tryInFlight,
};

async function tryInFlight(target: Target) {
  const tries = new Tries<InFlightProbe>();
  let met = 0;
  for (let round = 0; met < rounds; round++) {
    if (round === roundsMax) throw new Inconclusive(`the logout came too early ${round - met} times of ${roundsMax}`);
    if (await tryOnce(target, tries)) met += 1;
  }
  return tries.result();
}

/** Returns false when the slow request opened its session after the logout: that round proves nothing. */
async function tryOnce(target: Target, tries: Tries<InFlightProbe>): Promise<boolean> {
  const { user, browser } = await logInFreshUser(target);
  const [before, slow] = [browser.copy(), browser.copy()];
  const answered = slow.post(`/cart?delayMs=${slowMs}`, { sku: 'late' });
  await logOut(await waitUntilInProgress(browser));
  const ended = markEnded(target, user);
  if (!hadSession(await answered)) return false;
  const old = tries.of('the token from before');
  await tryEnded(old, 'the token from before the logout was accepted after a slow request had ended', before, ended);
  if (slow.cookies.size > 0)
    await tryEnded(
      tries.of('the cookies of the slow request'),
      'the cookies of a slow request were accepted after the logout',
      slow,
      ended,
    );
  for (const { name, url } of target.backends)
    await tryEnded(old, `${name} accepted the token after a slow request had ended`, before.copy(url), ended);
  return true;
}

/** Waits for one exchange: the request sent before it has then most likely arrived. `hadSession` verifies that. */
async function waitUntilInProgress(browser: AttackBrowser): Promise<AttackBrowser> {
  await browser.get('/me');
  return browser;
}

/** Returns whether the request had opened its session. Its write then succeeds, or fails because the session ended. */
function hadSession(answer: BrowserAnswer): boolean {
  if (answer.status === 201) return true;
  if (answer.status === 401) return answer.json.why === 'session-gone';
  throw buildUnexpected(answer, 'the slow request', '201 or 401');
}

/** Number of sessions of a user that an administrator ends. */
const sessionsOfUser = 3;
/** Number of users whose sessions the administrator ends at once. */
const usersAtOnce = 4;

export const endedByAdministrator: Attack = {
  title: 'use the sessions of a user after the administrator ended them',
  asvs: ['7.4.5'],
  probes: { 'a session of the user': ['unended-sessions'] },
  run: tryAfterEnd,
};

async function tryAfterEnd(target: Target) {
  const tries = new Tries();
  const probe = tries.of('a session of the user');
  const bystander = await logInFreshUser(target);
  const user = target.freshUser();
  const browsers = await logInBrowsers(target, user, sessionsOfUser);
  await sendAsAdministrator(target, '/admin/end-sessions', { user });
  const ended = markEnded(target, user);
  for (const browser of browsers)
    await tryEndedEverywhere(target, probe, 'after the administrator ended it', browser, ended);
  if (!(await isHonoured(bystander.browser, bystander.user)))
    throw new Inconclusive('the session of another user was ended too');
  return tries.result();
}

const disabledProbes = {
  'a session of the user': ['unended-sessions'],
  'a login of the user': ['unended-sessions'],
  'a session of a deleted user': ['unended-sessions'],
} as const;

export const disabledUser: Attack = {
  title: 'use the sessions of a user after the administrator disabled or deleted the user, or log in again',
  asvs: ['7.4.2'],
  probes: disabledProbes,
  run: tryAfterDisabling,
};

async function tryAfterDisabling(target: Target) {
  const tries = new Tries<keyof typeof disabledProbes>();
  const user = await tryEndedBy(target, '/admin/disable', tries.of('a session of the user'));
  const again = await target.browser().post('/login', { user, password: target.password });
  tries.of('a login of the user').addRequest('a disabled user could log in', again, 401);
  await tryEndedBy(target, '/admin/delete', tries.of('a session of a deleted user'));
  return tries.result();
}

async function tryEndedBy(target: Target, path: string, tries: ProbeTries): Promise<string> {
  const user = target.freshUser();
  const browsers = await logInBrowsers(target, user, sessionsOfUser);
  await sendAsAdministrator(target, path, { user });
  const ended = markEnded(target, user);
  for (const browser of browsers) await tryEndedEverywhere(target, tries, `after POST ${path}`, browser, ended);
  return user;
}

export const everyoneEnded: Attack = {
  title: "use any session after the administrator ended everyone's sessions",
  asvs: ['7.4.5'],
  probes: { 'any session': ['unended-sessions'] },
  alone: true,
  run: tryAfterEndOfAll,
};

async function tryAfterEndOfAll(target: Target) {
  const tries = new Tries();
  const members = await Promise.all(Array.from({ length: usersAtOnce }, () => logInFreshUser(target)));
  await sendAsAdministrator(target, '/admin/end-everyone', {});
  const ended = members.map(({ user, browser }) => ({ browser, ...markEnded(target, user) }));
  for (const { browser, ...each } of ended)
    await tryEndedEverywhere(target, tries.of('any session'), "after everyone's sessions were ended", browser, each);
  // A new login must work: a system that refuses every user has not ended sessions.
  await logInFreshUser(target);
  return tries.result();
}
