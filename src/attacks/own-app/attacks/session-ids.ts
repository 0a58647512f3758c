import { hash, randomInt } from 'node:crypto';
import { notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../tools/browser.js';
import { mapConcurrently } from '../../tools/map-concurrently.js';
import { type AppUnderAttack, addUse, type LoggedIn, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import type { AppAnswer } from '../app-browser.js';
import { findJwt } from '../app-jwt.js';

export const fixation: AppAttack = {
  title: 'a session id that was planted before the login: one that the app issued, and one that is made up',
  asvs: ['7.2.4'],
  run: tryPlantedIds,
};

async function tryPlantedIds(app: AppUnderAttack) {
  const { kind, name } = app.session;
  if (kind !== 'cookie')
    return notApplicable(`the session is the value {${name}} of a request, which no page can plant`);
  const tries = new UnnamedTries();
  const control = await app.logIn();
  const visitor = app.visitor();
  await visitor.askBefore('login');
  const issued = app.sessionOf(visitor);
  await tryPlanted(app, tries, 'a made-up id', makeLookAlike(app.tokenOf(control)));
  if (issued !== undefined) await tryPlanted(app, tries, 'an id that the app had issued to the attacker', issued);
  return tries.conclude();
}

/** Plants an id in the browser of a victim, who then logs in. The attacker reads with the id. */
async function tryPlanted(app: AppUnderAttack, tries: UnnamedTries, what: string, id: string): Promise<void> {
  const victim = app.visitor();
  victim.plant(app.session.name, id);
  const attacker = victim.copy();
  const login = await victim.ask('login');
  if (!login.isDone) {
    addUse(tries, `a login with ${what}`, login, false);
    return;
  }
  const member = await app.proveLoggedIn(victim, login);
  const read = await attacker.send('read', attacker.fill('read'));
  addUse(
    tries,
    `${what}, planted before the login, opens the session of the victim`,
    read,
    showsMember(read, member),
    login,
  );
}

export const idKeptAtLogin: AppAttack = {
  title: 'a login with a session from before it, and a second login: each must make a new id and end the old session',
  asvs: ['7.2.4'],
  run: tryKeptId,
};

async function tryKeptId(app: AppUnderAttack) {
  const { kind, name } = app.session;
  if (kind !== 'cookie') return notApplicable(`the session is the value {${name}}, which each login hands out anew`);
  const tries = new UnnamedTries();
  const browser = app.visitor();
  const page = await browser.askBefore('login');
  const before = app.sessionOf(browser);
  const member = await app.logIn(browser);
  const first = app.tokenOf(member);
  if (before !== undefined)
    tries.add(
      'the login keeps the id of the session from before it',
      before === first,
      ...(page ? [page] : []),
      member.login,
    );
  const problem = await trySecondLogin(app, tries, member, first);
  if (problem !== undefined && before === undefined) throw new Inconclusive(problem);
  return { ...tries.conclude(), ...(problem === undefined ? {} : { note: problem }) };
}

/** Logs in again in the same browser. Returns why that was not possible. */
async function trySecondLogin(app: AppUnderAttack, tries: UnnamedTries, member: LoggedIn, first: string) {
  const old = member.browser.copy();
  const login = await member.browser.ask('login').catch(error => {
    if (error instanceof Inconclusive) return undefined;
    throw error;
  });
  if (login?.isDone !== true) return 'the app takes no second login in the same browser, so that was not tried';
  const second = await app.proveLoggedIn(member.browser, login);
  tries.add('a second login keeps the id of the session', app.tokenOf(second) === first, login);
  const read = await old.send('read', old.fill('read'));
  addUse(tries, 'the session from before a second login is still open', read, showsMember(read, member), login);
  return undefined;
}

/** Returns a random text that looks like this one: letters, digits and capitals stay what they are. */
export function makeLookAlike(text: string): string {
  return text.replaceAll(/[a-f]|[g-z]|[A-F]|[G-Z]|\d/g, letter => {
    const range = ranges.find(([from, to]) => letter >= from && letter <= to) ?? ['0', '9'];
    const [from, to] = range.map(each => each.charCodeAt(0));
    return String.fromCharCode(randomInt(from ?? 0, (to ?? 0) + 1));
  });
}

/** Characters that replace each other. A hexadecimal digit stays one. */
const ranges = [
  ['a', 'f'],
  ['g', 'z'],
  ['A', 'F'],
  ['G', 'Z'],
  ['0', '9'],
] as const;

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
  run: tryIds,
};

const noProof = 'a statistical test cannot show that the ids come from a secure generator (CSPRNG)';

async function tryIds(app: AppUnderAttack) {
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

/*
 * The statistics of session ids. Pure. No statistic can show that ids come from a secure generator.
 */

interface IdJudgement {
  /** Number of ids that occur more than once. */
  readonly repeated: number;
  /** Estimated number of unpredictable bits of an id. */
  readonly bits: number;
  /** How an id can be computed from values that an attacker knows. */
  readonly computedFrom?: string | undefined;
}

/** Judges ids in the order in which they were made. `known`: values from which an id could have been computed. */
export function judgeIds(ids: readonly string[], known: readonly string[]): IdJudgement {
  const repeated = ids.length - new Set(ids).size;
  return { repeated, bits: Math.floor(countBits(ids)), computedFrom: findComputed(ids, known) };
}

/** Splits an id into its parts. Some ids have a fixed prefix, a number, or a signature beside the random part. */
function partsOf(id: string): readonly string[] {
  return id.split(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9_-]/);
}

/**
 * Adds the bits of each place of each part. A place has the bits of its most frequent character, and never more than
 * those of an alphabet that explains the part: an id of hexadecimal digits has 4 bits for each.
 */
function countBits(ids: readonly string[]): number {
  const split = ids.map(partsOf);
  const parts = Math.max(...split.map(({ length }) => length));
  let most = 0;
  for (let part = 0; part < parts; part++) most += countPartBits(split.map(each => each[part] ?? ''));
  return most;
}

function countPartBits(texts: readonly string[]): number {
  const alphabet = countAlphabetBits(texts);
  const length = Math.min(...texts.map(text => text.length));
  let bits = 0;
  for (let at = 0; at < length; at++) bits += Math.min(alphabet, estimatePlaceBits(texts.map(text => text.charAt(at))));
  return bits;
}

/** Estimates the bits of one place. Among few ids, chance alone makes one character of a fair place the most frequent. */
function estimatePlaceBits(characters: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const character of characters) counts.set(character, (counts.get(character) ?? 0) + 1);
  if (counts.size === 1) return 0;
  const mostSeen = Math.max(...counts.values()) / characters.length;
  const sumOfSquares = [...counts.values()].reduce((sum, count) => sum + (count / characters.length) ** 2, 0);
  const collision = Math.max(sumOfSquares - 1 / characters.length, 1 / 64);
  // The first estimate suits a skewed place, the second a fair one.
  return mostSeen > 0.5 ? -Math.log2(mostSeen) : -Math.log2(collision);
}

const alphabets: readonly (readonly [RegExp, number])[] = [
  [/^[0-9]*$/, Math.log2(10)],
  [/^[0-9a-f-]*$/i, 4],
  [/^[0-9a-z]*$/, Math.log2(36)],
  [/^[0-9A-Z]*$/, Math.log2(36)],
];

function countAlphabetBits(texts: readonly string[]): number {
  return alphabets.find(([pattern]) => texts.every(text => pattern.test(text)))?.[1] ?? 6;
}

const digests = ['md5', 'sha1', 'sha256'] as const;

/** Finds an id that is a known value, or the digest of one. */
function findComputed(ids: readonly string[], known: readonly string[]): string | undefined {
  const parts = new Set(ids.flatMap(id => [id, ...partsOf(id)]));
  for (const value of known) {
    for (const digest of digests) {
      const made = hash(digest, value, 'hex');
      if (parts.has(made)) return `the ${digest} of "${value}"`;
    }
  }
  return undefined;
}
