import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { sessionIn } from '../tools/browser.js';
import { type EnrolledUser, enrolUser, preLoginOf, stepAt } from '../tools/second-factor.js';
import { expectStatus } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

/**
 * An attacker may see a code while the user types it. It must be useless, even at the same moment on another backend.
 */
export const totpTwice: Attack = {
  title: 'use a one-time code twice, at the same moment on every backend and later; use a code of another time step',
  asvs: ['6.5.1', '6.5.5'],
  weak: ['careless-shop'],
  run,
};

const rounds = 4;
const atOncePerBackend = 2;
/** Time steps whose codes are not valid. The present and the previous step are documented as valid, and the clock may
 * advance by one more. Four per user: the fifth wrong code would bring a wait, which would hide the result. */
const otherTimes = [
  [-20, -10, -4, -2],
  [2, 4, 10, 20],
];

async function run(target: Target) {
  const tries = new Tries();
  for (let round = 0; round < rounds; round++) {
    const member = await enrolUser(target);
    await tryAtOnce(target, member, tries);
    await tryAgain(target, member, tries);
  }
  for (const steps of otherTimes) {
    const member = await enrolUser(target);
    for (const ahead of steps)
      await tryCode(target, member, tries, stepAt(Date.now()) + ahead, `${ahead} steps from now`);
    const right = await logInWithCode(target, member, member.usedStep + 1);
    expectStatus(right, 200, 'the code of now');
  }
  return tries.result();
}

/** Sends the one right code from many browsers at the same moment. All have sent the password before. */
async function tryAtOnce(target: Target, member: EnrolledUser, tries: Tries): Promise<void> {
  const origins = target.backends.flatMap(({ url }) => Array<string>(atOncePerBackend).fill(url));
  const halfway = await Promise.all(origins.map(origin => preLoginOf(target, member.user, origin)));
  const code = member.code(member.usedStep + 1);
  const answers = await Promise.all(halfway.map(browser => browser.post('/login/totp', { code })));
  const within = answers.filter(answer => sessionIn(answer) !== undefined);
  if (within.length === 0) throw new Inconclusive('the right code was refused everywhere');
  const isTwice = within.length > 1;
  tries.add(`one code logged in ${within.length} browsers at once`, isTwice, ...(isTwice ? within : answers));
}

async function tryAgain(target: Target, member: EnrolledUser, tries: Tries): Promise<void> {
  const { browser, usedStep, code } = member;
  await tryCode(target, member, tries, usedStep + 1, 'used to log in');
  await tryCode(target, member, tries, usedStep, 'used to enrol');
  const fields = { password: target.password, code: code(usedStep + 1) };
  const again = await browser.post('/account/reauthenticate', fields);
  tries.addRequest('a code that was used to log in gave a fresh authentication', again, 401);
}

async function tryCode(target: Target, member: EnrolledUser, tries: Tries, step: number, which: string): Promise<void> {
  const answer = await logInWithCode(target, member, step);
  tries.addRequest(`a code ${which} logged in`, answer, 401);
}

async function logInWithCode(target: Target, { user, code }: EnrolledUser, step: number) {
  return (await preLoginOf(target, user)).post('/login/totp', { code: code(step) });
}
