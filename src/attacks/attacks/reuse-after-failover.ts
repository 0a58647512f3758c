import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { AttackBrowser } from '../tools/browser.js';
import { type EndedSession, markEnded, tryEnded } from '../tools/ended-session.js';
import { isHonoured, logIn, logInFreshUser, logOut } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
  'after a death': ['unended-sessions'],
  'after a restart': ['sessions-on-disk'],
} as const;

export const reuseAfterFailover: Attack = {
  title:
    'use a token after its logout: when the backend that handled it dies, and when a backend that missed it restarts',
  asvs: ['7.4.1'],
  probes,
  alone: true,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
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
