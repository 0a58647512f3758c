import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { AttackBrowser } from '../tools/browser.js';
import { isHonoured, logIn, reauthenticate, userOf } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

const marginMs = 30;
/** How often a session is used. Every third use also renews its token. */
const useEveryMs = 250;
const renewEvery = 3;

const probes = {
  'by use': ['endless-sessions'],
  'by renewal': ['endless-sessions'],
} as const;

export const absoluteLimit: Attack = {
  title: 'keep a session past its absolute limit: by using it all the time, or by renewing its token again and again',
  asvs: ['7.3.2'],
  probes,
  shortLimits: true,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
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
