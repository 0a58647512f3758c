import { notApplicable, UnnamedTries } from '../../attack.js';
import { type AppUnderAttack, addUse, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import { makeLookAlike } from '../tools/look-alike.js';

export const fixation: AppAttack = {
  title: 'a session id that was planted before the login: one that the app issued, and one that is made up',
  asvs: ['7.2.4'],
  run,
};

async function run(app: AppUnderAttack) {
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
