import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { isHonoured, logIn, logInFreshUser, sendAsAdministrator } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const sessions = 3;

export const endedByAdministrator: Attack = {
  title: 'use the sessions of a user after the administrator ended them',
  asvs: ['7.4.5'],
  probes: { 'a session of the user': ['unended-sessions'] },
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  const bystander = await logInFreshUser(target);
  const user = target.freshUser();
  const browsers = Array.from({ length: sessions }, () => target.browser());
  for (const browser of browsers) await logIn(browser, user, target.password);
  await sendAsAdministrator(target, '/admin/end-sessions', { user });
  const ended = markEnded(target, user);
  for (const browser of browsers)
    await tryEndedEverywhere(
      target,
      tries.of('a session of the user'),
      'after the administrator ended it',
      browser,
      ended,
    );
  if (!(await isHonoured(bystander.browser, bystander.user)))
    throw new Inconclusive('the session of another user was ended too');
  return tries.result();
}
