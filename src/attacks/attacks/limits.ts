import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { type AttackBrowser, Inconclusive } from '../tools/browser.js';
import { isHonoured, logIn, logInFreshUser, reauthenticate, userOf } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

/** Wait after the limit. */
const marginMs = 30;
/** Pause of an active user, as a share of the limit. */
const share = 0.6;
const roundsMax = 4;

const idleProbes = {
  'since the login': ['endless-sessions'],
  'after some use': ['endless-sessions'],
} as const;

export const idleLimit: Attack = {
  title: 'use a session that was idle for longer than the idle limit, after its login and after some use',
  asvs: ['7.3.1'],
  probes: idleProbes,
  shortLimits: true,
  run: tryIdleLimit,
};

async function tryIdleLimit(target: Target) {
  const tries = new Tries<keyof typeof idleProbes>();
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

/** How often a session is used. Every third use also renews its token. */
const useEveryMs = 250;
const renewEvery = 3;

const absoluteProbes = {
  'by use': ['endless-sessions'],
  'by renewal': ['endless-sessions'],
} as const;

export const absoluteLimit: Attack = {
  title: 'keep a session past its absolute limit: by using it all the time, or by renewing its token again and again',
  asvs: ['7.3.2'],
  probes: absoluteProbes,
  shortLimits: true,
  run: tryAbsoluteLimit,
};

async function tryAbsoluteLimit(target: Target) {
  const tries = new Tries<keyof typeof absoluteProbes>();
  const use = async () => undefined;
  const renew = (browser: AttackBrowser) => reauthenticate(browser, target.password);
  await Promise.all([
    tryKept(target, tries.of('by use'), 'by being used all the time', use),
    tryKept(target, tries.of('by renewal'), 'by having its token renewed', renew),
  ]);
  return tries.result();
}

async function tryKept(
  target: Target,
  tries: ProbeTries,
  how: string,
  renew: (browser: AttackBrowser) => Promise<unknown>,
) {
  const { idleMs, absoluteMs } = target.limits;
  const [user, browser] = [target.freshUser(), target.browser()];
  await logIn(browser, user, target.password);
  const beganMs = performance.now();
  const ageMs = () => performance.now() - beganMs;
  let honouredAtMs = 0;
  for (let uses = 1; ageMs() < absoluteMs - useEveryMs; uses++) {
    await sleep(useEveryMs);
    if (uses % renewEvery === 0 && ageMs() < absoluteMs - 2 * useEveryMs) await renew(browser);
    if (await isHonoured(browser, user)) honouredAtMs = ageMs();
  }
  if (honouredAtMs <= idleMs) throw new Inconclusive(`the session was not kept ${how}, not even past the idle limit`);
  await sleep(Math.max(0, absoluteMs - ageMs()) + marginMs);
  for (const origin of originsOf(target)) {
    const answer = await browser.copy(origin).get('/me');
    tries.add(`a session was kept past its absolute limit ${how}`, userOf(answer) === user, answer);
  }
}
