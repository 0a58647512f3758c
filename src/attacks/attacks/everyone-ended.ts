import { type Attack, Tries } from '../attack.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { logInFreshUser, sendAsAdministrator } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const users = 4;

export const everyoneEnded: Attack = {
  title: "use any session after the administrator ended everyone's sessions",
  asvs: ['7.4.5'],
  probes: { 'any session': ['unended-sessions'] },
  alone: true,
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  const members = await Promise.all(Array.from({ length: users }, () => logInFreshUser(target)));
  await sendAsAdministrator(target, '/admin/end-everyone', {});
  const ended = members.map(({ user, browser }) => ({ browser, ...markEnded(target, user) }));
  for (const { browser, ...each } of ended)
    await tryEndedEverywhere(target, tries.of('any session'), "after everyone's sessions were ended", browser, each);
  // A new login must work: a system that refuses every user has not ended sessions.
  await logInFreshUser(target);
  return tries.result();
}
