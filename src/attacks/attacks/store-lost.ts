import { type Attack, notApplicable, Tries } from '../attack.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { logIn, logInFreshUser, logOut, sendAsAdministrator } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
  'a session that ended before': ['sealed-without-denylist', 'jwt-without-denylist'],
  'a session that was ended afterwards': ['sealed-without-denylist'],
  'a user who was disabled afterwards': ['sealed-without-denylist'],
} as const;

/**
 * A store that crashed may come back without its data. Then it knows neither the ended sessions nor the live ones. It
 * may lose sessions, but an ended session must stay ended.
 */
export const storeLost: Attack = {
  title: 'use a token after the store came back without its data: of a session that had ended, or is ended then',
  asvs: ['7.4.1', '7.4.2'],
  probes,
  alone: true,
  run,
};

async function run(target: Target) {
  if (!target.hasStore) return notApplicable('there is no store: the sessions are in the backends');
  const tries = new Tries<keyof typeof probes>();
  const leaving = await logInFreshUser(target);
  const kept = leaving.browser.copy();
  const [ended, disabled] = [await logInFreshUser(target), await logInFreshUser(target)];
  await logOut(leaving.browser);
  const before = markEnded(target, leaving.user);
  await target.loseStore();
  await tryEndedEverywhere(target, tries.of('a session that ended before'), 'after its store was lost', kept, before);
  for (const [probe, path, { user, browser }] of [
    ['a session that was ended afterwards', '/admin/end-sessions', ended],
    ['a user who was disabled afterwards', '/admin/disable', disabled],
  ] as const) {
    await sendAsAdministrator(target, path, { user });
    const now = markEnded(target, user);
    await tryEndedEverywhere(target, tries.of(probe), `after POST ${path} and the loss of the store`, browser, now);
  }
  // A system that refuses every user after the loss has ended no session.
  await logIn(target.browser(), target.freshUser(), target.password);
  return tries.result();
}
