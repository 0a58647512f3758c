import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../tools/browser.js';
import { type AppUnderAttack, addUse, type LoggedIn, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import type { AppAnswer } from '../app-browser.js';

export const replayAfterLogout: AppAttack = {
  title: 'the cookies and tokens from before a logout, after it',
  asvs: ['7.4.1'],
  run: tryReplay,
};

async function tryReplay(app: AppUnderAttack) {
  if (!app.has('logout')) return notApplicable('the journey has no step logout');
  const tries = new UnnamedTries();
  const member = await app.logIn();
  const thief = member.browser.copy();
  const copied = await thief.send('read', thief.fill('read'));
  if (!showsMember(copied, member)) throw new Inconclusive('a copy of the session did not work before the logout');
  const logout = await logOut(member);
  for (const step of ['read', 'whoami'] as const) {
    if (!app.has(step)) continue;
    const answer = await thief.send(step, thief.fill(step));
    addUse(tries, `the session is still open after the logout (${step})`, answer, showsMember(answer, member), logout);
  }
  return tries.conclude();
}

async function logOut({ browser }: LoggedIn): Promise<AppAnswer> {
  const logout = await browser.ask('logout');
  if (!logout.isDone) throw new Inconclusive(`a user could not log out: ${logout.describe()}`);
  return logout;
}

const raceRounds = 6;
const addsBeside = 3;
/** An app may write a session after it has answered. */
const lateWriteMs = 50;

export const logoutRace: AppAttack = {
  title: 'adds and reads at the same moment as a logout, so that one of them writes the session back',
  asvs: ['7.4.1'],
  run: tryRaces,
};

async function tryRaces(app: AppUnderAttack) {
  if (!app.has('logout')) return notApplicable('the journey has no step logout');
  if (await survivesLogout(app))
    return notApplicable(
      'a logout without requests beside it does not end the session either: see replay-after-logout',
    );
  const tries = new UnnamedTries();
  for (let round = 0; round < raceRounds && !tries.hasSucceeded; round++) await race(app, tries, round);
  return tries.conclude();
}

async function survivesLogout(app: AppUnderAttack): Promise<boolean> {
  const member = await app.logIn();
  const thief = member.browser.copy();
  await logOut(member);
  return showsMember(await thief.send('read', thief.fill('read')), member);
}

async function race(app: AppUnderAttack, tries: UnnamedTries, round: number): Promise<void> {
  const member = await app.logIn();
  const { browser, item } = member;
  const thief = browser.copy();
  const logout = { step: 'logout', outgoing: await browser.prepare('logout') } as const;
  const add = { step: 'add', outgoing: await browser.prepare('add', item) } as const;
  const others = [
    ...Array.from({ length: addsBeside }, () => add),
    { step: 'read', outgoing: browser.fill('read') } as const,
  ];
  // In each round the logout is sent at another place. A write restores the session only if it begins before the logout
  // and ends after it.
  const place = round % (others.length + 1);
  const all = [...others.slice(0, place), logout, ...others.slice(place)];
  const answers = await Promise.all(all.map(({ step, outgoing }) => browser.send(step, outgoing)));
  const ended = answers[place];
  if (ended?.isDone !== true)
    throw new Inconclusive(`a user could not log out beside other requests: ${ended?.describe()}`);
  await sleep(lateWriteMs);
  const read = await thief.send('read', thief.fill('read'));
  const what = 'the session is open again after a logout that had other requests beside it';
  addUse(tries, what, read, showsMember(read, member), ended);
  await tryIssued(
    app,
    tries,
    member,
    answers.filter(answer => answer !== ended),
  );
}

/** Reads with the session that an answer beside the logout has issued. */
async function tryIssued(
  app: AppUnderAttack,
  tries: UnnamedTries,
  member: LoggedIn,
  answers: readonly AppAnswer[],
): Promise<void> {
  const before = app.tokenOf(member);
  for (const answer of answers) {
    const holder = member.browser.copy();
    holder.keep('add', answer);
    const issued = app.sessionOf(holder);
    if (issued === undefined || issued === before) continue;
    const read = await holder.send('read', holder.fill('read'));
    const isOpen = showsMember(read, member);
    // Without a login the app may give such a session to any visitor: only the data of the user counts.
    tries.add('a request beside the logout was given another session, which is open', isOpen, answer, read);
  }
}

export const oldPassword: AppAttack = {
  title: 'a second session of a user, after the user has changed the password in the first one',
  asvs: ['7.4.3'],
  run: tryOldPassword,
};

async function tryOldPassword(app: AppUnderAttack) {
  if (!app.has('password')) return notApplicable('the journey has no step password');
  const tries = new UnnamedTries();
  const owner = await app.logIn();
  const thief = await app.logIn(app.visitor(owner.user));
  // Long, with every kind of character: an app may have rules.
  owner.browser.carried.set('new-password', `Aa1-${randomBytes(18).toString('base64url')}`);
  const change = await owner.browser.ask('password');
  if (!change.isDone) throw new Inconclusive(`a user could not change the password: ${change.describe()}`);
  const again = await app.visitor(owner.user).ask('login');
  if (again.isDone)
    throw new Inconclusive(`the old password still opens a session, so the change had no effect: ${again.describe()}`);
  const read = await thief.browser.send('read', thief.browser.fill('read'));
  addUse(
    tries,
    'another session of the user is still open after the password change',
    read,
    showsMember(read, thief),
    change,
  );
  return tries.conclude();
}

export const refreshRace: AppAttack = {
  title: 'one refresh token twice, at the same moment and one after the other: at most one may go on',
  asvs: ['RFC 9700'],
  run: tryRefreshTwice,
};

async function tryRefreshTwice(app: AppUnderAttack) {
  if (!app.has('refresh')) return notApplicable('the journey has no step refresh');
  const tries = new UnnamedTries();
  for (const isAtOnce of [true, false]) await tryTwice(app, tries, isAtOnce);
  return tries.conclude();
}

/** Uses one refresh token twice. Success: both lines of tokens can be refreshed again, and both open the session. */
async function tryTwice(app: AppUnderAttack, tries: UnnamedTries, isAtOnce: boolean): Promise<void> {
  const member = await app.logIn();
  const lines = [member.browser.copy(), member.browser.copy()];
  const refresh = async (browser: (typeof lines)[number]) => {
    const answer = await browser.send('refresh', browser.fill('refresh'));
    if (answer.isDone) browser.keep('refresh', answer);
    return answer;
  };
  const firsts = [];
  if (isAtOnce) firsts.push(...(await Promise.all(lines.map(refresh))));
  else for (const line of lines) firsts.push(await refresh(line));
  if (!firsts.some(({ isDone }) => isDone))
    throw new Inconclusive(`the session could not be refreshed: ${firsts[0]?.describe()}`);
  const seconds = [];
  for (const line of lines) seconds.push(await refresh(line));
  const reads = [];
  for (const line of lines) reads.push(await line.send('read', line.fill('read')));
  const isForked =
    [...firsts, ...seconds].every(({ isDone }) => isDone) && reads.every(read => showsMember(read, member));
  const when = isAtOnce ? 'at the same moment' : 'one after the other';
  tries.add(
    `one refresh token, used twice ${when}, gave two lines of tokens that both go on`,
    isForked,
    ...firsts,
    ...reads,
  );
}
