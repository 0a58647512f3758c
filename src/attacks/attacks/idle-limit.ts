import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { isHonoured, logInFreshUser, userOf } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

/** Wait after the limit. */
const marginMs = 30;
/** Pause of an active user, as a share of the limit. */
const share = 0.6;
const roundsMax = 4;

const probes = {
  'since the login': ['endless-sessions'],
  'after some use': ['endless-sessions'],
} as const;

export const idleLimit: Attack = {
  title: 'use a session that was idle for longer than the idle limit, after its login and after some use',
  asvs: ['7.3.1'],
  probes,
  shortLimits: true,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  await Promise.all([tryUnused(target, tries.of('since the login')), tryUsed(target, tries.of('after some use'))]);
  return tries.result();
}

async function tryUnused(target: Target, tries: ProbeTries): Promise<void> {
  const { user, browser } = await logInFreshUser(target);
  await sleep(target.limits.idleMs + marginMs);
  for (const origin of originsOf(target)) {
    const answer = await browser.copy(origin).get('/me');
    tries.add('a session that was idle since its login was accepted', userOf(answer) === user, answer);
  }
}

/** Shows first that an active user stays logged in. A busy machine may be late, so there is more than one round. */
async function tryUsed(target: Target, tries: ProbeTries): Promise<void> {
  for (let round = 0; round < roundsMax; round++) {
    const { user, browser } = await logInFreshUser(target);
    const stayed = (await useInTime(target, browser, user)) && (await useInTime(target, browser, user));
    if (!stayed) continue;
    await sleep(target.limits.idleMs + marginMs);
    const answer = await browser.get('/me');
    tries.add('a session that was idle after some use was accepted', userOf(answer) === user, answer);
    return;
  }
  throw new Inconclusive(`an active user was logged out before the idle limit, ${roundsMax} times in a row`);
}

async function useInTime(
  { limits }: Target,
  browser: Parameters<typeof isHonoured>[0],
  user: string,
): Promise<boolean> {
  await sleep(limits.idleMs * share);
  return isHonoured(browser, user);
}
