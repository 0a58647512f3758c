import { type Attack, Tries } from '../attack.js';
import { tryEndedEverywhere } from '../ended-session.js';
import { asAdministrator, loggedIn } from '../shop.js';
import type { Target } from '../target.js';

const users = 4;

export const everyoneEnded: Attack = {
  title: 'go on with any session after the administrator has ended those of everyone',
  asvs: ['7.4.5'],
  weak: ['unlisted-sessions'],
  alone: true,
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  const members = await Promise.all(Array.from({ length: users }, () => loggedIn(target)));
  await asAdministrator(target, '/admin/end-everyone', {});
  const atMs = performance.now();
  for (const { user, browser } of members) {
    const ended = { user, atMs, lagMs: target.revocationLagMs };
    await tryEndedEverywhere(target, tries, 'after those of everyone were ended', browser, ended);
  }
  // Whoever logs in afterwards must be let in again: a system that refuses everybody has not ended sessions.
  await loggedIn(target);
  return tries.result();
}
