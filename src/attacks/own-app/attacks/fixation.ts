import { randomInt } from 'node:crypto';
import { notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../errors.js';
import { type AppUnderAttack, addUse, type LoggedIn, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';

export const fixation: AppAttack = {
  title: 'a session id that was planted before the login: one that the app issued, and one that is made up',
  asvs: ['7.2.4'],
  run: tryPlantedIds,
};

async function tryPlantedIds(app: AppUnderAttack) {
  const { kind, name } = app.session;
  if (kind !== 'cookie')
    return notApplicable(`the session is the value {${name}} of a request, which no page can plant`);
  const tries = new UnnamedTries();
  const control = await app.logIn();
  const visitor = app.visitor();
  await visitor.askBefore('login');
  const issued = app.sessionOf(visitor);
  await tryPlanted(app, tries, 'a made-up id', makeLookAlike(app.tokenOf(control)));
  if (issued !== undefined) await tryPlanted(app, tries, 'an id that the app had issued to the attacker', issued);
  return tries.conclude();
}

/** Plants an id in the browser of a victim, who then logs in. The attacker reads with the id. */
async function tryPlanted(app: AppUnderAttack, tries: UnnamedTries, what: string, id: string): Promise<void> {
  const victim = app.visitor();
  victim.plant(app.session.name, id);
  const attacker = victim.copy();
  const login = await victim.ask('login');
  if (!login.isDone) {
    addUse(tries, `a login with ${what}`, login, false);
    return;
  }
  const member = await app.proveLoggedIn(victim, login);
  const read = await attacker.send('read', attacker.fill('read'));
  addUse(
    tries,
    `${what}, planted before the login, opens the session of the victim`,
    read,
    showsMember(read, member),
    login,
  );
}

export const idKeptAtLogin: AppAttack = {
  title: 'a login with a session from before it, and a second login: each must make a new id and end the old session',
  asvs: ['7.2.4'],
  run: tryKeptId,
};

async function tryKeptId(app: AppUnderAttack) {
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

/** Returns a random text that looks like this one: letters, digits and capitals stay what they are. */
export function makeLookAlike(text: string): string {
  return text.replaceAll(/[a-f]|[g-z]|[A-F]|[G-Z]|\d/g, letter => {
    const range = ranges.find(([from, to]) => letter >= from && letter <= to) ?? ['0', '9'];
    const [from, to] = range.map(each => each.charCodeAt(0));
    return String.fromCharCode(randomInt(from ?? 0, (to ?? 0) + 1));
  });
}

/** Characters that replace each other. A hexadecimal digit stays one. */
const ranges = [
  ['a', 'f'],
  ['g', 'z'],
  ['A', 'F'],
  ['G', 'Z'],
  ['0', '9'],
] as const;
