import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { isHonoured, loggedIn, userOf } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

/** After the limit; before it a share of the limit is waited. */
const marginMs = 30;
const share = 0.6;
const roundsMax = 4;

export const idleLimit: Attack = {
  title: 'use a session that nobody has used for longer than the idle limit, after login and after some use',
  asvs: ['7.3.1'],
  weak: ['endless-sessions'],
  shortLimits: true,
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  await Promise.all([tryUnused(target, tries), tryUsed(target, tries)]);
  return tries.result();
}

async function tryUnused(target: Target, tries: Tries): Promise<void> {
  const { user, browser } = await loggedIn(target);
  await sleep(target.limits.idleMs + marginMs);
  for (const origin of originsOf(target)) {
    const answer = await browser.copy(origin).get('/me');
    tries.add('a session was honoured that was not used since its login', userOf(answer) === user, answer);
  }
}

/** The honest user first: whoever is active stays. A busy machine may be late for that, so there is more than one round. */
async function tryUsed(target: Target, tries: Tries): Promise<void> {
  for (let round = 0; round < roundsMax; round++) {
    const { user, browser } = await loggedIn(target);
    const stayed = (await usedInTime(target, browser, user)) && (await usedInTime(target, browser, user));
    if (!stayed) continue;
    await sleep(target.limits.idleMs + marginMs);
    const answer = await browser.get('/me');
    tries.add('a session was honoured that was not used since its last use', userOf(answer) === user, answer);
    return;
  }
  throw new Inconclusive(`a user who was active before the idle limit did not stay logged in, ${roundsMax} times`);
}

async function usedInTime(
  { limits }: Target,
  browser: Parameters<typeof isHonoured>[0],
  user: string,
): Promise<boolean> {
  await sleep(limits.idleMs * share);
  return isHonoured(browser, user);
}
