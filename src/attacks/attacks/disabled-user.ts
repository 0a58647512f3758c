import { type Attack, Tries } from '../attack.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { logIn, sendAsAdministrator } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const sessions = 5;

const probes = {
  'a session of the user': ['unended-sessions'],
  'a login of the user': ['unended-sessions'],
} as const;

export const disabledUser: Attack = {
  title: 'use the five sessions of a user after the administrator disabled the user, or log in again',
  asvs: ['7.4.2'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  const user = target.freshUser();
  const browsers = Array.from({ length: sessions }, () => target.browser());
  for (const browser of browsers) await logIn(browser, user, target.password);
  await sendAsAdministrator(target, '/admin/disable', { user });
  const ended = markEnded(target, user);
  for (const browser of browsers)
    await tryEndedEverywhere(target, tries.of('a session of the user'), 'after its user was disabled', browser, ended);
  const again = await target.browser().post('/login', { user, password: target.password });
  tries.of('a login of the user').addRequest('a disabled user could log in', again, 401);
  return tries.result();
}
