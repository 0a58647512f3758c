import { notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../errors.js';
import { type AppUnderAttack, addUse, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';

export const replayAfterLogout: AppAttack = {
  title: 'the cookies and tokens from before a logout, after it',
  asvs: ['7.4.1'],
  run,
};

async function run(app: AppUnderAttack) {
  if (!app.has('logout')) return notApplicable('the journey has no step logout');
  const tries = new UnnamedTries();
  const member = await app.logIn();
  const thief = member.browser.copy();
  const copied = await thief.send('read', thief.fill('read'));
  if (!showsMember(copied, member)) throw new Inconclusive('a copy of the session did not work before the logout');
  const logout = await member.browser.ask('logout');
  if (!logout.isDone) throw new Inconclusive(`a user could not log out: ${logout.describe()}`);
  for (const step of ['read', 'whoami'] as const) {
    if (!app.has(step)) continue;
    const answer = await thief.send(step, thief.fill(step));
    addUse(tries, `the session is still open after the logout (${step})`, answer, showsMember(answer, member), logout);
  }
  return tries.conclude();
}
