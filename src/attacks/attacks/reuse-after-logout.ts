import { type Attack, Tries } from '../attack.js';
import { markEnded, tryEnded } from '../tools/ended-session.js';
import { logInFreshUser, logOut } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

export const reuseAfterLogout: Attack = {
  title: 'use a token after its logout, through the proxy and on every backend',
  asvs: ['7.4.1'],
  probes: { 'the token': ['unended-sessions', 'jwt-without-denylist', 'sealed-without-denylist'] },
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  const probe = tries.of('the token');
  const { user, browser } = await logInFreshUser(target);
  const kept = browser.copy();
  await logOut(browser);
  const ended = markEnded(target, user);
  await tryEnded(probe, 'the token was accepted through the proxy after its logout', kept, ended);
  for (const { name, url } of target.backends)
    await tryEnded(probe, `the token was accepted by ${name} after its logout`, kept.copy(url), ended);
  return tries.result();
}
