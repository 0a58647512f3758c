import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { logIn, sendAsAdministrator } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const sessions = 3;

const probes = {
  'a session of the user': ['unended-sessions'],
  'a login of the user': ['unended-sessions'],
  'a session of a deleted user': ['unended-sessions'],
} as const;

export const disabledUser: Attack = {
  title: 'use the sessions of a user after the administrator disabled or deleted the user, or log in again',
  asvs: ['7.4.2'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  const user = await tryEndedBy(target, '/admin/disable', tries.of('a session of the user'));
  const again = await target.browser().post('/login', { user, password: target.password });
  tries.of('a login of the user').addRequest('a disabled user could log in', again, 401);
  await tryEndedBy(target, '/admin/delete', tries.of('a session of a deleted user'));
  return tries.result();
}

async function tryEndedBy(target: Target, path: string, tries: ProbeTries): Promise<string> {
  const user = target.freshUser();
  const browsers = Array.from({ length: sessions }, () => target.browser());
  for (const browser of browsers) await logIn(browser, user, target.password);
  await sendAsAdministrator(target, path, { user });
  const ended = markEnded(target, user);
  for (const browser of browsers) await tryEndedEverywhere(target, tries, `after POST ${path}`, browser, ended);
  return user;
}
