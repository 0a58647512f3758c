import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { type AttackBrowser, type BrowserAnswer, Inconclusive, sessionIn } from '../tools/browser.js';
import {
  buildUnexpected,
  type EnrolledUser,
  enrolUser,
  expectStatus,
  logIn,
  logInFreshUser,
  preLoginOf,
  stepAt,
} from '../tools/shop.js';
import { originAt, type Target } from '../tools/target.js';

const passwordProbes = {
  'one after the other': ['careless-shop'],
  'the right password afterwards': ['careless-shop'],
  'all at once': ['careless-shop'],
  'at the fresh authentication': ['careless-shop'],
  'many users from one address': ['careless-shop'],
  'a lock for the owner': ['lenient-shop'],
} as const;

type PasswordProbe = keyof typeof passwordProbes;

/**
 * An attacker guesses the password of one user, or tries one leaked password with many users (credential stuffing). The
 * shop lets a client wait after a few wrong tries. Another backend or parallel guesses must not reset the counter. The
 * browsers of the user must not have to wait for the guesses of others.
 */
export const passwordGuess: Attack = {
  title: 'guess passwords: one after the other, all at once, for many users from one address; lock the owner out',
  asvs: ['6.3.1'],
  probes: passwordProbes,
  run: tryPasswords,
};

/** The limits that the shop documents: after so many wrong passwords or codes a client has to wait. */
const guessesMax = 5;
const guessesOfAddressMax = 100;
const guessesTried = 12;
const guessesOfAddress = guessesOfAddressMax + 10;
/** The cookie that a thief of the session alone does not have. */
const knownBrowserCookie = 'known-browser';

async function tryPasswords(target: Target) {
  const tries = new Tries<PasswordProbe>();
  await showFewPasswordsAreForgiven(target);
  await tryPasswordsInTurn(target, tries);
  await tryPasswordsAtOnce(target, tries);
  await tryPasswordsOfThief(target, tries);
  await tryManyUsers(target, tries);
  return tries.result();
}

/** Shows that a few wrong passwords are forgiven. A shop that refuses every login limits nothing. */
async function showFewPasswordsAreForgiven(target: Target): Promise<void> {
  const [user, browser] = [target.freshUser(), target.browser()];
  for (let number = 1; number < guessesMax; number++)
    expectStatus(await guessPassword(browser, user, number), 401, 'a wrong password');
  await logIn(browser, user, target.password);
}

async function tryPasswordsInTurn(target: Target, tries: Tries<PasswordProbe>): Promise<void> {
  const { user, browser: owner } = await logInFreshUser(target);
  const answers: BrowserAnswer[] = [];
  for (let number = 0; number < guessesTried; number++)
    answers.push(await guessPassword(target.browser(originAt(target, number)), user, number));
  notePasswords(tries, answers, 'one after the other');
  const right = await target.browser().post('/login', { user, password: target.password });
  const what = `the right password was accepted after ${guessesTried} guesses`;
  tries.of('the right password afterwards').addRequest(what, right, 429);
  const own = await owner.post('/login', { user, password: target.password });
  tries
    .of('a lock for the owner')
    .add('the guesses of others locked the browser of the owner', own.status === 429, own);
  if (own.status !== 429) expectStatus(own, 200, 'a login in the browser of the owner');
}

async function tryPasswordsAtOnce(target: Target, tries: Tries<PasswordProbe>): Promise<void> {
  const user = target.freshUser();
  const guessed = Array.from({ length: guessesTried }, (_, number) =>
    guessPassword(target.browser(originAt(target, number)), user, number),
  );
  notePasswords(tries, await Promise.all(guessed), 'all at once');
}

/** A thief of the session cookie guesses the password, to change it. */
async function tryPasswordsOfThief(target: Target, tries: Tries<PasswordProbe>): Promise<void> {
  const { browser } = await logInFreshUser(target);
  const thief = browser.copy();
  thief.cookies.delete(knownBrowserCookie);
  const answers: BrowserAnswer[] = [];
  for (let number = 0; number < guessesTried; number++)
    answers.push(await thief.post('/account/reauthenticate', { password: `guess ${number}` }));
  notePasswords(tries, answers, 'at the fresh authentication');
}

/** Guesses for many users from one address. It asks a backend directly, under an address of its own, so that other
 * attacks do not have to wait. */
async function tryManyUsers(target: Target, tries: Tries<PasswordProbe>): Promise<void> {
  const browser = target.browser(target.backends[0]?.url);
  const headers = { 'x-real-ip': '203.0.113.7' };
  const answers: BrowserAnswer[] = [];
  for (let number = 0; number < guessesOfAddress; number++)
    answers.push(await browser.post('/login', { user: target.freshUser(), password: 'leaked elsewhere' }, { headers }));
  notePasswords(tries, answers, 'many users from one address', guessesOfAddressMax);
}

function notePasswords(
  tries: Tries<PasswordProbe>,
  answers: readonly BrowserAnswer[],
  how: PasswordProbe,
  most = guessesMax,
): void {
  const odd = answers.find(({ status }) => ![401, 429].includes(status));
  if (odd !== undefined) throw buildUnexpected(odd, 'a wrong password', '401 or 429');
  const checked = answers.filter(({ status }) => status === 401);
  if (checked.length === 0) throw new Inconclusive(`the shop checked no wrong password (${how})`);
  const [last] = answers.slice(-1);
  const shown = last === undefined ? [] : [last];
  const what = `the shop checked ${checked.length} guesses (${how})`;
  tries.of(how).addMany(answers.length, what, checked.length > most, ...shown);
}

function guessPassword(browser: AttackBrowser, user: string, number: number): Promise<BrowserAnswer> {
  return browser.post('/login', { user, password: `guess ${number}` });
}

const codeProbes = {
  'one after the other': ['careless-shop'],
  'the right code afterwards': ['careless-shop'],
  'all at once': ['careless-shop'],
  'at the fresh authentication': ['careless-shop'],
} as const;

type CodeProbe = keyof typeof codeProbes;

/**
 * Two of a million codes are valid at any time. An attacker who has the password may guess five times and must then
 * wait. A new pre-authentication token, another backend or concurrent guesses must not reset the counter.
 */
export const totpGuess: Attack = {
  title: 'guess one-time codes: one after the other on every backend, all at once, and at the fresh authentication',
  asvs: ['6.3.1'],
  probes: codeProbes,
  run: tryCodes,
};

async function tryCodes(target: Target) {
  const tries = new Tries<CodeProbe>();
  await showFewCodesAreForgiven(target);
  await tryCodesInTurn(target, tries);
  await tryCodesAtOnce(target, tries);
  await tryCodesAtReauthentication(target, tries);
  return tries.result();
}

/**
 * Shows that a few wrong codes are forgiven. Otherwise any attacker could lock users out, and a refusal proves nothing.
 */
async function showFewCodesAreForgiven(target: Target): Promise<void> {
  const member = await enrolUser(target);
  for (const code of listWrongCodes(member, guessesMax - 1))
    expectStatus(await guessCode(target, member, code), 401, 'a wrong code');
  expectStatus(
    await guessCode(target, member, member.code(member.usedStep + 1)),
    200,
    'the right code after a few wrong ones',
  );
}

async function tryCodesInTurn(target: Target, tries: Tries<CodeProbe>): Promise<void> {
  const member = await enrolUser(target);
  const answers: BrowserAnswer[] = [];
  for (const [index, code] of listWrongCodes(member, guessesTried).entries())
    answers.push(await guessCode(target, member, code, originAt(target, index)));
  noteCodes(tries, answers, 'one after the other');
  const right = await guessCode(target, member, member.code(member.usedStep + 1));
  tries
    .of('the right code afterwards')
    .addRequest(`the right code was accepted after ${guessesTried} guesses`, right, 429);
}

async function tryCodesAtOnce(target: Target, tries: Tries<CodeProbe>): Promise<void> {
  const member = await enrolUser(target);
  const guessed = listWrongCodes(member, guessesTried).map((code, index) =>
    guessCode(target, member, code, originAt(target, index)),
  );
  noteCodes(tries, await Promise.all(guessed), 'all at once');
}

async function tryCodesAtReauthentication(target: Target, tries: Tries<CodeProbe>): Promise<void> {
  const member = await enrolUser(target);
  const answers: BrowserAnswer[] = [];
  for (const code of listWrongCodes(member, guessesTried))
    answers.push(await member.browser.post('/account/reauthenticate', { password: target.password, code }));
  noteCodes(tries, answers, 'at the fresh authentication');
}

function noteCodes(tries: Tries<CodeProbe>, answers: readonly BrowserAnswer[], how: CodeProbe): void {
  const odd = answers.find(({ status }) => ![401, 429].includes(status));
  if (odd !== undefined) throw buildUnexpected(odd, 'a wrong code', '401 or 429');
  const taken = answers.filter(({ status }) => status === 401);
  if (taken.length === 0) throw new Inconclusive(`the shop checked no wrong code (${how})`);
  for (const answer of answers)
    tries.of(how).add(`the shop checked ${taken.length} guesses (${how})`, taken.length > guessesMax, answer);
}

async function guessCode(
  target: Target,
  { user }: EnrolledUser,
  code: string,
  origin?: string,
): Promise<BrowserAnswer> {
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

const secondUseProbes = {
  'at the same moment': ['careless-shop'],
  'after a login': ['careless-shop'],
  'after the enrolment': ['careless-shop'],
  'at the fresh authentication': ['careless-shop'],
  'another time step': ['careless-shop'],
} as const;

type SecondUseProbe = keyof typeof secondUseProbes;

/**
 * An attacker may see a code while the user types it. It must be useless, even at the same moment on another backend.
 */
export const totpTwice: Attack = {
  title: 'use a one-time code twice, at the same moment on every backend and later; use a code of another time step',
  asvs: ['6.5.1', '6.5.5'],
  probes: secondUseProbes,
  run: tryTwice,
};

const rounds = 4;
const atOncePerBackend = 2;
/** Time steps with codes that are not valid. The present and the previous step are documented as valid, and the clock
 * may advance by one more. Four per user: the fifth wrong code would bring a wait, which would hide the result. */
const otherTimes = [
  [-20, -10, -4, -2],
  [2, 4, 10, 20],
];

async function tryTwice(target: Target) {
  const tries = new Tries<SecondUseProbe>();
  for (let round = 0; round < rounds; round++) {
    const member = await enrolUser(target);
    await tryTwiceAtOnce(target, member, tries);
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
async function tryTwiceAtOnce(target: Target, member: EnrolledUser, tries: Tries<SecondUseProbe>): Promise<void> {
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

async function tryAgain(target: Target, member: EnrolledUser, tries: Tries<SecondUseProbe>): Promise<void> {
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
