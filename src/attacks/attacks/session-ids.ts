import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, Tries } from '../attack.js';
import {
  type AttackBrowser,
  type BrowserAnswer,
  Inconclusive,
  preLoginCookie,
  sessionCookie,
} from '../tools/browser.js';
import { openSeal, readToken } from '../tools/forge.js';
import { mapConcurrently } from '../tools/map-concurrently.js';
import {
  enrolUser,
  expectStatus,
  isHonoured,
  logIn,
  logInFreshUser,
  markEnded,
  preLoginOf,
  reauthenticate,
  tryEndedEverywhere,
  userOf,
} from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

const fixationProbes = {
  'an invented id': ['trusting-sticky'],
  "the attacker's own token": ['trusting-sticky'],
  'the cookies of a visit': ['trusting-sticky'],
  'a second login': ['trusting-sticky'],
  'a fresh authentication': ['trusting-sticky'],
  'without the code': ['lenient-shop'],
  'after the code': ['lenient-shop'],
} as const;

type FixationProbe = keyof typeof fixationProbes;

export const fixation: Attack = {
  title: 'plant a token before the login, or reuse a token from before a login, a code or a fresh authentication',
  asvs: ['7.2.4'],
  probes: fixationProbes,
  run: tryFixation,
};

async function tryFixation(target: Target) {
  const tries = new Tries<FixationProbe>();
  await tryPlanted(target, tries, 'an invented id', async browser => {
    browser.cookies.set(sessionCookie, randomBytes(32).toString('base64url'));
  });
  await tryPlanted(target, tries, "the attacker's own token", browser =>
    logIn(browser, target.freshUser(), target.password),
  );
  await tryPlanted(target, tries, 'the cookies of a visit', async browser => {
    await browser.get('/');
    await browser.get('/cart');
  });
  await tryKept(target, tries, 'a second login', ({ user, browser }) => logIn(browser, user, target.password));
  await tryKept(target, tries, 'a fresh authentication', ({ browser }) => reauthenticate(browser, target.password));
  await tryHalfLoggedIn(target, tries);
  return tries.result();
}

/** The attacker plants cookies in a browser and keeps a copy of them. Then the victim logs in with that browser. */
async function tryPlanted(
  target: Target,
  tries: Tries<FixationProbe>,
  what: FixationProbe,
  plant: (browser: AttackBrowser) => Promise<unknown>,
) {
  const browser = target.browser();
  // The copy includes the affinity cookie, so the same backend serves both browsers.
  await browser.get('/me');
  await plant(browser);
  const attacker = browser.copy();
  const victim = target.freshUser();
  await logIn(browser, victim, target.password);
  for (const origin of originsOf(target)) {
    const answer = await attacker.copy(origin).get('/me');
    const isOpen = userOf(answer) === victim;
    tries.of(what).add(`${what}, planted before the login, opened the session afterwards`, isOpen, answer);
  }
}

/** Uses the token from before a step that replaces it. The mode may still accept it for its stated lag. */
async function tryKept(
  target: Target,
  tries: Tries<FixationProbe>,
  step: FixationProbe,
  renew: (member: Awaited<ReturnType<typeof logInFreshUser>>) => Promise<unknown>,
) {
  const member = await logInFreshUser(target);
  const kept = member.browser.copy();
  await renew(member);
  const ended = markEnded(target, member.user);
  await tryEndedEverywhere(target, tries.of(step), `with the token from before ${step}`, kept, ended);
}

/**
 * Uses the cookies that a browser holds between password and code. They must open no session, before or after the code.
 */
async function tryHalfLoggedIn(target: Target, tries: Tries<FixationProbe>): Promise<void> {
  const { user, code, usedStep } = await enrolUser(target);
  const browser = await preLoginOf(target, user);
  const [kept, asSession] = [browser.copy(), browser.copy()];
  const preLogin = browser.cookies.get(preLoginCookie);
  if (preLogin === undefined) throw new Inconclusive('the password gave no cookie for the step of the code');
  asSession.cookies.set(sessionCookie, preLogin);
  const tryBoth = async (when: FixationProbe) => {
    for (const [what, thief] of Object.entries({
      'the cookies': kept,
      'the pre-login token as a session': asSession,
    })) {
      const answer = await thief.copy().get('/me');
      tries.of(when).add(`${what} from before the code opened the session ${when}`, userOf(answer) === user, answer);
    }
  };
  await tryBoth('without the code');
  expectStatus(await browser.post('/login/totp', { code: code(usedStep + 1) }), 200, 'the code');
  if (!(await isHonoured(browser, user))) throw new Inconclusive('the honest user is not logged in after the code');
  await tryBoth('after the code');
}

/** Enough to find a part that is constant, counted or timed. More of them could not show that the rest is random. */
const logins = 500;
const atOnce = 16;
const timesMax = 20;
const pauseMs = 100;
/** ASVS 5.0.0 7.2.3 asks for 128 bits. */
const bitsMin = 128;
/** Among 500 random ids, the two most similar share some 17 bits. To share 64 bits takes some 2^32 ids. */
const sharedBitsMax = 64;

const idProbes = {
  'the length of an id': ['timed-ids'],
  'a repeated id': ['timed-ids'],
  'a biased bit': ['timed-ids'],
  'a bit that follows the id before': ['timed-ids'],
  'a common beginning': ['timed-ids'],
  'the id in a signed token': ['jwt-trusting'],
  'the refresh token': ['jwt-trusting'],
  'the id in a sealed token': ['seal-trusting'],
} as const;

type IdProbe = keyof typeof idProbes;

/**
 * Looks for flaws in a sample of ids. It can find an id that is short, repeated, counted or timed. It cannot show that
 * ids come from a cryptographically secure generator: a weak generator passes every statistical test too.
 */
export const predictedIds: Attack = {
  title: 'look for flaws in the ids of 500 logins: length, repeats, biased bits, bits that follow the id before',
  asvs: ['7.2.2', '7.2.3'],
  probes: idProbes,
  statistical: true,
  // So many logins would delay the answers of every other attack.
  alone: true,
  run: tryToPredict,
};

async function tryToPredict(target: Target) {
  const tries = new Tries<IdProbe>();
  const tokens = await collect(target);
  const [first] = tokens;
  if (first === undefined || !(await isHonoured(first.browser, first.user)))
    throw new Inconclusive('a collected token does not open its session');
  const answers = tokens.slice(0, 2).map(({ answer }) => answer);
  const ring = await target.keyRing();
  const idsBy = (read: (token: string) => Buffer) => tokens.map(({ token }) => read(token));
  if (target.strategy === 'reference') {
    for (const [probe, flaw, isFound] of checksOf(idsBy(decode)))
      tries.of(probe).add(`of an id ${flaw}`, isFound, ...answers);
    return tries.result();
  }
  const parts: readonly (readonly [IdProbe, (token: string) => Buffer])[] =
    target.strategy === 'jwt'
      ? [
          ['the id in a signed token', token => decode(String(readToken(token)?.claims.sid))],
          ['the refresh token', token => decode(readToken(token)?.refresh ?? '')],
        ]
      : [['the id in a sealed token', token => decode(String(openSeal(token, ring)[0]))]];
  for (const [probe, read] of parts)
    for (const [, flaw, isFound] of checksOf(idsBy(read)))
      tries.of(probe).add(`of ${probe} ${flaw}`, isFound, ...answers);
  return tries.result();
}

/** Logs in directly at the backends, because they make the ids. Keeps the order. */
async function collect(target: Target) {
  const origins = target.backends.map(({ url }) => url);
  const turns = Array.from({ length: logins }, (_, at) => origins[at % origins.length]);
  return mapConcurrently(turns, atOnce, async origin => {
    const [user, browser] = [target.freshUser(), target.browser(origin)];
    const answer = expectStatus(await logInWithRetries(browser, user, target.password), 200, 'the login');
    return { user, browser, answer, token: browser.token };
  });
}

/** Logs in, and retries on 503: a store may be too busy for a moment. */
async function logInWithRetries(browser: AttackBrowser, user: string, password: string): Promise<BrowserAnswer> {
  for (let times = 1; ; times++) {
    const answer = await browser.post('/login', { user, password });
    if (answer.status !== 503 || times === timesMax) return answer;
    await sleep(pauseMs);
  }
}

/** An id may name its user behind the random part. */
const randomChars = 43;

function decode(text: string): Buffer {
  return Buffer.from(text.slice(0, randomChars), 'base64url');
}

type Check = readonly [probe: IdProbe, flaw: string, isFound: boolean];

function checksOf(ids: readonly Buffer[]): readonly Check[] {
  const bits = Math.min(...ids.map(id => id.length)) * 8;
  const repeats = ids.length - new Set(ids.map(id => id.toString('hex'))).size;
  const biased = findBiasedBit(ids);
  const following = findBiasedBit(ids.slice(1).map((id, at) => xor(id, ids[at] ?? id)));
  const shared = countSharedBits(ids);
  return [
    ['the length of an id', `there are only ${bits} bits`, bits < bitsMin],
    ['a repeated id', `${repeats} repeat another`, repeats > 0],
    ['a biased bit', `bit ${biased} is biased`, biased !== undefined],
    ['a bit that follows the id before', `bit ${following} follows the id before`, following !== undefined],
    ['a common beginning', `two begin with the same ${shared} bits`, shared > sharedBitsMax],
  ];
}

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)));
}

/** Six standard deviations: 183 to 317 ones in 500 bits. One in 500 million fair bits lies outside. */
const deviationsMax = 6;

/** Finds the first bit that is set too often or too rarely to be random; undefined when there is none. */
export function findBiasedBit(ids: readonly Buffer[]): number | undefined {
  const bits = Math.min(...ids.map(id => id.length)) * 8;
  const ones = new Array<number>(bits).fill(0);
  for (const id of ids) for (let bit = 0; bit < bits; bit++) ones[bit] = (ones[bit] ?? 0) + bitOf(id, bit);
  const farthest = (deviationsMax * Math.sqrt(ids.length)) / 2;
  const found = ones.findIndex(count => Math.abs(count - ids.length / 2) > farthest);
  return found === -1 ? undefined : found;
}

/** Returns the length in bits of the longest prefix that two of the ids share. */
export function countSharedBits(ids: readonly Buffer[]): number {
  const sorted = [...ids].sort(Buffer.compare);
  return sorted.slice(1).reduce((most, id, at) => Math.max(most, countCommonBits(id, sorted[at] ?? id)), 0);
}

function countCommonBits(one: Buffer, other: Buffer): number {
  const bits = Math.min(one.length, other.length) * 8;
  for (let bit = 0; bit < bits; bit++) if (bitOf(one, bit) !== bitOf(other, bit)) return bit;
  return bits;
}

function bitOf(bytes: Buffer, bit: number): number {
  return ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
}
