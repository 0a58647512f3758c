import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { AttackBrowser, BrowserAnswer } from '../tools/browser.js';
import { buildUnexpected, expectStatus, logIn, logInFreshUser } from '../tools/shop.js';
import { originAt, type Target } from '../tools/target.js';

const probes = {
  'one after the other': ['careless-shop'],
  'the right password afterwards': ['careless-shop'],
  'all at once': ['careless-shop'],
  'at the fresh authentication': ['careless-shop'],
  'many users from one address': ['careless-shop'],
  'a lock for the owner': ['lenient-shop'],
} as const;

type Probe = keyof typeof probes;

/**
 * An attacker guesses the password of one user, or tries one leaked password with many users (credential stuffing). The
 * shop lets a client wait after a few wrong tries. Another backend or parallel guesses must not reset the counter. The
 * browsers of the user must not have to wait for the guesses of others.
 */
export const passwordGuess: Attack = {
  title: 'guess passwords: one after the other, all at once, for many users from one address; lock the owner out',
  asvs: ['6.3.1'],
  probes,
  run,
};

/** The limits that the shop documents: after so many wrong tries a client has to wait. */
const guessesMax = 5;
const guessesOfAddressMax = 100;
const guesses = 12;
/** The cookie that a thief of the session alone does not have. */
const knownBrowserCookie = 'known-browser';
const guessesOfAddress = guessesOfAddressMax + 10;

async function run(target: Target) {
  const tries = new Tries<Probe>();
  await showFewAreForgiven(target);
  await tryInTurn(target, tries);
  await tryAtOnce(target, tries);
  await tryReauthentication(target, tries);
  await tryManyUsers(target, tries);
  return tries.result();
}

/** Shows that a few wrong passwords are forgiven. A shop that refuses every login limits nothing. */
async function showFewAreForgiven(target: Target): Promise<void> {
  const [user, browser] = [target.freshUser(), target.browser()];
  for (let number = 1; number < guessesMax; number++)
    expectStatus(await guess(browser, user, number), 401, 'a wrong password');
  await logIn(browser, user, target.password);
}

async function tryInTurn(target: Target, tries: Tries<Probe>): Promise<void> {
  const { user, browser: owner } = await logInFreshUser(target);
  const answers: BrowserAnswer[] = [];
  for (let number = 0; number < guesses; number++)
    answers.push(await guess(target.browser(originAt(target, number)), user, number));
  note(tries, answers, 'one after the other');
  const right = await target.browser().post('/login', { user, password: target.password });
  const what = `the right password was accepted after ${guesses} guesses`;
  tries.of('the right password afterwards').addRequest(what, right, 429);
  const own = await owner.post('/login', { user, password: target.password });
  tries
    .of('a lock for the owner')
    .add('the guesses of others locked the browser of the owner', own.status === 429, own);
  if (own.status !== 429) expectStatus(own, 200, 'a login in the browser of the owner');
}

async function tryAtOnce(target: Target, tries: Tries<Probe>): Promise<void> {
  const user = target.freshUser();
  const guessed = Array.from({ length: guesses }, (_, number) =>
    guess(target.browser(originAt(target, number)), user, number),
  );
  note(tries, await Promise.all(guessed), 'all at once');
}

/** A thief of the session cookie guesses the password, to change it. */
async function tryReauthentication(target: Target, tries: Tries<Probe>): Promise<void> {
  const { browser } = await logInFreshUser(target);
  const thief = browser.copy();
  thief.cookies.delete(knownBrowserCookie);
  const answers: BrowserAnswer[] = [];
  for (let number = 0; number < guesses; number++)
    answers.push(await thief.post('/account/reauthenticate', { password: `guess ${number}` }));
  note(tries, answers, 'at the fresh authentication');
}

/** Comes past the proxy, with an address of its own, so that other attacks do not have to wait. */
async function tryManyUsers(target: Target, tries: Tries<Probe>): Promise<void> {
  const browser = target.browser(target.backends[0]?.url);
  const headers = { 'x-real-ip': '203.0.113.7' };
  const answers: BrowserAnswer[] = [];
  for (let number = 0; number < guessesOfAddress; number++)
    answers.push(await browser.post('/login', { user: target.freshUser(), password: 'leaked elsewhere' }, { headers }));
  note(tries, answers, 'many users from one address', guessesOfAddressMax);
}

function note(tries: Tries<Probe>, answers: readonly BrowserAnswer[], how: Probe, most = guessesMax): void {
  const odd = answers.find(({ status }) => ![401, 429].includes(status));
  if (odd !== undefined) throw buildUnexpected(odd, 'a wrong password', '401 or 429');
  const checked = answers.filter(({ status }) => status === 401);
  if (checked.length === 0) throw new Inconclusive(`the shop checked no wrong password (${how})`);
  const [last] = answers.slice(-1);
  const shown = last === undefined ? [] : [last];
  const what = `the shop checked ${checked.length} guesses (${how})`;
  tries.of(how).addMany(answers.length, what, checked.length > most, ...shown);
}

function guess(browser: AttackBrowser, user: string, number: number): Promise<BrowserAnswer> {
  return browser.post('/login', { user, password: `guess ${number}` });
}
