import { notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../errors.js';
import { type AppUnderAttack, addUse, type LoggedIn, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';

export const idKeptAtLogin: AppAttack = {
  title: 'a login with a session from before it, and a second login: each must make a new id and end the old session',
  asvs: ['7.2.4'],
  run,
};

async function run(app: AppUnderAttack) {
  const { kind, name } = app.session;
  if (kind !== 'cookie') return notApplicable(`the session is the value {${name}}, which each login hands out anew`);
  const tries = new UnnamedTries();
  const browser = app.visitor();
  const page = await browser.askBefore('login');
  const before = app.sessionOf(browser);
  const member = await app.logIn(browser);
  const first = app.tokenOf(member);
  if (before !== undefined)
    tries.add(
      'the login keeps the id of the session from before it',
      before === first,
      ...(page ? [page] : []),
      member.login,
    );
  const problem = await trySecondLogin(app, tries, member, first);
  if (problem !== undefined && before === undefined) throw new Inconclusive(problem);
  return { ...tries.conclude(), ...(problem === undefined ? {} : { note: problem }) };
}

/** Logs in again in the same browser. Returns why that was not possible. */
async function trySecondLogin(app: AppUnderAttack, tries: UnnamedTries, member: LoggedIn, first: string) {
  const old = member.browser.copy();
  const login = await member.browser.ask('login').catch(error => {
    if (error instanceof Inconclusive) return undefined;
    throw error;
  });
  if (login?.isDone !== true) return 'the app takes no second login in the same browser, so that was not tried';
  const second = await app.proveLoggedIn(member.browser, login);
  tries.add('a second login keeps the id of the session', app.tokenOf(second) === first, login);
  const read = await old.send('read', old.fill('read'));
  addUse(tries, 'the session from before a second login is still open', read, showsMember(read, member), login);
  return undefined;
}
