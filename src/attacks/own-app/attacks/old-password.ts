import { randomBytes } from 'node:crypto';
import { notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../errors.js';
import { type AppUnderAttack, addUse, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';

export const oldPassword: AppAttack = {
  title: 'a second session of a user, after the user has changed the password in the first one',
  asvs: ['7.4.3'],
  run,
};

async function run(app: AppUnderAttack) {
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
