import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { type BrowserAnswer, sessionIn } from '../tools/browser.js';
import { type EnrolledUser, enrolUser, preLoginOf, stepAt } from '../tools/second-factor.js';
import { buildUnexpected, expectStatus } from '../tools/shop.js';
import { originAt, type Target } from '../tools/target.js';

const guessProbes = {
  'one after the other': ['careless-shop'],
  'the right code afterwards': ['careless-shop'],
  'all at once': ['careless-shop'],
  'at the fresh authentication': ['careless-shop'],
} as const;

type GuessProbe = keyof typeof guessProbes;

/**
 * Two of a million codes are valid at any time. An attacker who has the password may guess five times and must then
 * wait. A new pre-authentication token, another backend or concurrent guesses must not reset the counter.
 */
export const totpGuess: Attack = {
  title: 'guess one-time codes: one after the other on every backend, all at once, and at the fresh authentication',
  asvs: ['6.3.1'],
  probes: guessProbes,
  run: tryGuesses,
};

/** The limit that the shop documents: after so many wrong codes it checks no further one. */
const guessesMax = 5;
const guesses = 12;

async function tryGuesses(target: Target) {
  const tries = new Tries<GuessProbe>();
  await showFewAreForgiven(target);
  await tryInTurn(target, tries);
  await tryGuessesAtOnce(target, tries);
  await tryReauthentication(target, tries);
  return tries.result();
}

/**
 * Shows that a few wrong codes are forgiven. Otherwise any attacker could lock users out, and a refusal proves nothing.
 */
async function showFewAreForgiven(target: Target): Promise<void> {
  const member = await enrolUser(target);
  for (const code of listWrongCodes(member, guessesMax - 1))
    expectStatus(await guess(target, member, code), 401, 'a wrong code');
  expectStatus(
    await guess(target, member, member.code(member.usedStep + 1)),
    200,
    'the right code after a few wrong ones',
  );
}

async function tryInTurn(target: Target, tries: Tries<GuessProbe>): Promise<void> {
  const member = await enrolUser(target);
  const answers: BrowserAnswer[] = [];
  for (const [index, code] of listWrongCodes(member, guesses).entries())
    answers.push(await guess(target, member, code, originAt(target, index)));
  note(tries, answers, 'one after the other');
  const right = await guess(target, member, member.code(member.usedStep + 1));
  tries.of('the right code afterwards').addRequest(`the right code was accepted after ${guesses} guesses`, right, 429);
}

async function tryGuessesAtOnce(target: Target, tries: Tries<GuessProbe>): Promise<void> {
  const member = await enrolUser(target);
  const guessed = listWrongCodes(member, guesses).map((code, index) =>
    guess(target, member, code, originAt(target, index)),
  );
  note(tries, await Promise.all(guessed), 'all at once');
}

async function tryReauthentication(target: Target, tries: Tries<GuessProbe>): Promise<void> {
  const member = await enrolUser(target);
  const answers: BrowserAnswer[] = [];
  for (const code of listWrongCodes(member, guesses))
    answers.push(await member.browser.post('/account/reauthenticate', { password: target.password, code }));
  note(tries, answers, 'at the fresh authentication');
}

function note(tries: Tries<GuessProbe>, answers: readonly BrowserAnswer[], how: GuessProbe): void {
  const odd = answers.find(({ status }) => ![401, 429].includes(status));
  if (odd !== undefined) throw buildUnexpected(odd, 'a wrong code', '401 or 429');
  const taken = answers.filter(({ status }) => status === 401);
  if (taken.length === 0) throw new Inconclusive(`the shop checked no wrong code (${how})`);
  for (const answer of answers)
    tries.of(how).add(`the shop checked ${taken.length} guesses (${how})`, taken.length > guessesMax, answer);
}

async function guess(target: Target, { user }: EnrolledUser, code: string, origin?: string): Promise<BrowserAnswer> {
  const browser = target.browser(origin);
  const password = await browser.post('/login', { user, password: target.password });
  // While the account waits, the shop does not even check the password.
  return password.status === 429 ? password : browser.post('/login/totp', { code });
}

function listWrongCodes({ code }: EnrolledUser, count: number): readonly string[] {
  const now = stepAt(Date.now());
  const right = [-3, -2, -1, 0, 1, 2, 3].map(ahead => code(now + ahead));
  const all = Array.from({ length: count + right.length }, (_, number) => String(number).padStart(6, '0'));
  return all.filter(each => !right.includes(each)).slice(0, count);
}

const reuseProbes = {
  'at the same moment': ['careless-shop'],
  'after a login': ['careless-shop'],
  'after the enrolment': ['careless-shop'],
  'at the fresh authentication': ['careless-shop'],
  'another time step': ['careless-shop'],
} as const;

type ReuseProbe = keyof typeof reuseProbes;

/**
 * An attacker may see a code while the user types it. It must be useless, even at the same moment on another backend.
 */
export const totpTwice: Attack = {
  title: 'use a one-time code twice, at the same moment on every backend and later; use a code of another time step',
  asvs: ['6.5.1', '6.5.5'],
  probes: reuseProbes,
  run: tryReuse,
};

const rounds = 4;
const atOncePerBackend = 2;
/** Time steps with codes that are not valid. The present and the previous step are documented as valid, and the clock
 * may advance by one more. Four per user: the fifth wrong code would bring a wait, which would hide the result. */
const otherTimes = [
  [-20, -10, -4, -2],
  [2, 4, 10, 20],
];

async function tryReuse(target: Target) {
  const tries = new Tries<ReuseProbe>();
  for (let round = 0; round < rounds; round++) {
    const member = await enrolUser(target);
    await tryAtOnce(target, member, tries);
    await tryAgain(target, member, tries);
  }
  for (const steps of otherTimes) {
    const member = await enrolUser(target);
    for (const ahead of steps)
      await tryCode(
        target,
        member,
        tries.of('another time step'),
        stepAt(Date.now()) + ahead,
        `${ahead} steps from now`,
      );
    const right = await logInWithCode(target, member, member.usedStep + 1);
    expectStatus(right, 200, 'the code of now');
  }
  return tries.result();
}

/** Sends the one right code from many browsers at the same moment. All have sent the password before. */
async function tryAtOnce(target: Target, member: EnrolledUser, tries: Tries<ReuseProbe>): Promise<void> {
  const origins = target.backends.flatMap(({ url }) => Array<string>(atOncePerBackend).fill(url));
  const halfway = await Promise.all(origins.map(origin => preLoginOf(target, member.user, origin)));
  const code = member.code(member.usedStep + 1);
  const answers = await Promise.all(halfway.map(browser => browser.post('/login/totp', { code })));
  const within = answers.filter(answer => sessionIn(answer) !== undefined);
  if (within.length === 0) throw new Inconclusive('the right code was refused everywhere');
  const isTwice = within.length > 1;
  const shown = isTwice ? within : answers;
  tries.of('at the same moment').add(`one code logged in ${within.length} browsers at once`, isTwice, ...shown);
}

async function tryAgain(target: Target, member: EnrolledUser, tries: Tries<ReuseProbe>): Promise<void> {
  const { browser, usedStep, code } = member;
  await tryCode(target, member, tries.of('after a login'), usedStep + 1, 'used to log in');
  await tryCode(target, member, tries.of('after the enrolment'), usedStep, 'used to enrol');
  const fields = { password: target.password, code: code(usedStep + 1) };
  const again = await browser.post('/account/reauthenticate', fields);
  tries
    .of('at the fresh authentication')
    .addRequest('a code that was used to log in gave a fresh authentication', again, 401);
}

async function tryCode(
  target: Target,
  member: EnrolledUser,
  tries: ProbeTries,
  step: number,
  which: string,
): Promise<void> {
  const answer = await logInWithCode(target, member, step);
  tries.addRequest(`a code ${which} logged in`, answer, 401);
}

async function logInWithCode(target: Target, { user, code }: EnrolledUser, step: number) {
  return (await preLoginOf(target, user)).post('/login/totp', { code: code(step) });
}
