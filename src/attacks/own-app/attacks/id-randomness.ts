import { notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../errors.js';
import { mapConcurrently } from '../../tools/at-once.js';
import type { AppUnderAttack } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import type { AppAnswer } from '../app-browser.js';
import { judgeIds } from '../tools/id-statistics.js';
import { findJwt } from '../tools/jwt.js';

const idsMax = 100;
const idsMin = 30;
const atOnce = 4;
const collectWithinMs = 10_000;
/** With fewer bits an attacker can guess an id online. ASVS asks for more. */
const bitsMin = 64;
const bitsWanted = 128;
/** The estimate of so few ids is a tenth too low at times. */
const bitsClear = 110;
const numbersGuessed = 10_000;
const secondsGuessed = 60;

export const idRandomness: AppAttack = {
  title: `logins, ${idsMax} of them: their ids must not be repeated, short, alike, or the digest of a number, time or name`,
  asvs: ['7.2.2', '7.2.3'],
  run,
};

const noProof = 'a statistical test cannot show that the ids come from a secure generator (CSPRNG)';

async function run(app: AppUnderAttack) {
  const control = await app.logIn();
  if (findJwt(app.tokenOf(control)) !== undefined) return notApplicable('the session is a signed token, no id');
  const tries = new UnnamedTries();
  const collected = await collect(app);
  if (collected.length < idsMin)
    throw new Inconclusive(
      `only ${collected.length} logins were done within ${collectWithinMs / 1000} s, expected ${idsMin}`,
    );
  const users = collected.map(({ user }) => user);
  const { repeated, bits, computedFrom } = judgeIds(
    collected.map(({ id }) => id),
    listKnown(users, Date.now()),
  );
  const shown = collected.slice(0, 2).map(({ login }) => login);
  tries.addMany(collected.length, `${repeated} ids were given twice`, repeated > 0, ...shown);
  tries.add(`an id has only about ${bits} unpredictable bits`, bits < bitsMin, ...shown);
  tries.add(`an id is ${computedFrom}`, computedFrom !== undefined, ...shown);
  const few = bits < bitsClear ? `; an id has about ${bits} unpredictable bits, ASVS asks for ${bitsWanted}` : '';
  return { ...tries.conclude(), note: noProof + few };
}

interface Collected {
  readonly user: string;
  readonly id: string;
  readonly login: AppAnswer;
}

/** Logs in again and again. Stops after a time, and at the first login that the app refuses. */
async function collect(app: AppUnderAttack): Promise<readonly Collected[]> {
  const until = performance.now() + collectWithinMs;
  const collected: Collected[] = [];
  let isRefused = false;
  await mapConcurrently(
    Array.from({ length: idsMax }, (_, at) => at),
    atOnce,
    async () => {
      if (isRefused || performance.now() > until) return;
      const browser = app.visitor();
      const login = await browser.ask('login');
      const id = app.sessionOf(browser);
      if (login.isDone && id !== undefined) collected.push({ user: browser.user, id, login });
      else isRefused = true;
    },
  );
  return collected;
}

/** Lists values from which careless apps compute ids. */
function listKnown(users: readonly string[], nowMs: number): string[] {
  const second = Math.floor(nowMs / 1000);
  return [
    ...users,
    ...Array.from({ length: numbersGuessed }, (_, number) => String(number)),
    ...Array.from({ length: secondsGuessed }, (_, back) => String(second - back)),
  ];
}
