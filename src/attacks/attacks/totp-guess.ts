import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { BrowserAnswer } from '../tools/browser.js';
import { type EnrolledUser, enrolUser, stepAt } from '../tools/second-factor.js';
import { buildUnexpected, expectStatus } from '../tools/shop.js';
import { originAt, type Target } from '../tools/target.js';

const probes = {
  'one after the other': ['careless-shop'],
  'the right code afterwards': ['careless-shop'],
  'all at once': ['careless-shop'],
  'at the fresh authentication': ['careless-shop'],
} as const;

type Probe = keyof typeof probes;

/**
 * Two of a million codes are valid at any time. An attacker who has the password may guess five times and must then
 * wait. A new pre-authentication token, another backend or concurrent guesses must not reset the counter.
 */
export const totpGuess: Attack = {
  title: 'guess one-time codes: one after the other on every backend, all at once, and at the fresh authentication',
  asvs: ['6.3.1'],
  probes,
  run,
};

/** The limit that the shop documents: after so many wrong codes it checks no further one. */
const guessesMax = 5;
const guesses = 12;

async function run(target: Target) {
  const tries = new Tries<Probe>();
  await showFewAreForgiven(target);
  await tryInTurn(target, tries);
  await tryAtOnce(target, tries);
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

async function tryInTurn(target: Target, tries: Tries<Probe>): Promise<void> {
  const member = await enrolUser(target);
  const answers: BrowserAnswer[] = [];
  for (const [index, code] of listWrongCodes(member, guesses).entries())
    answers.push(await guess(target, member, code, originAt(target, index)));
  note(tries, answers, 'one after the other');
  const right = await guess(target, member, member.code(member.usedStep + 1));
  tries.of('the right code afterwards').addRequest(`the right code was accepted after ${guesses} guesses`, right, 429);
}

async function tryAtOnce(target: Target, tries: Tries<Probe>): Promise<void> {
  const member = await enrolUser(target);
  const guessed = listWrongCodes(member, guesses).map((code, index) =>
    guess(target, member, code, originAt(target, index)),
  );
  note(tries, await Promise.all(guessed), 'all at once');
}

async function tryReauthentication(target: Target, tries: Tries<Probe>): Promise<void> {
  const member = await enrolUser(target);
  const answers: BrowserAnswer[] = [];
  for (const code of listWrongCodes(member, guesses))
    answers.push(await member.browser.post('/account/reauthenticate', { password: target.password, code }));
  note(tries, answers, 'at the fresh authentication');
}

function note(tries: Tries<Probe>, answers: readonly BrowserAnswer[], how: Probe): void {
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
