import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { someAtOnce } from '../tools/at-once.js';
import type { AttackBrowser, BrowserAnswer } from '../tools/browser.js';
import { expectStatus, isHonoured } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const logins = 10_000;
const atOnce = 16;
const timesMax = 20;
const pauseMs = 100;
/** ASVS 5.0.0 7.2.3 asks for 128 bits. */
const bitsMin = 128;
/** Of 10,000 random ids the two that are most alike share some 27 bits; twice 2^37 ids would have to be made for 64. */
const sharedBitsMax = 64;

export const predictedIds: Attack = {
  title:
    'foresee a token from 10,000 others: length, duplicates, bias of each bit, bits in common, dependence on the one before',
  asvs: ['7.2.2', '7.2.3'],
  weak: ['counting-ids'],
  // So many logins at once would make every other answer late.
  alone: true,
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  const tokens = await collect(target);
  const [first] = tokens;
  if (first === undefined || !(await isHonoured(first.browser, first.user)))
    throw new Inconclusive('a collected token does not open the session that it was given for');
  const parts = tokens.map(({ token }) => randomParts(target.strategy, token));
  for (const name of Object.keys(parts[0] ?? {})) {
    const ids = parts.map(part => part[name] ?? Buffer.alloc(0));
    look(
      tries,
      name,
      ids,
      tokens.map(({ answer }) => answer),
    );
  }
  return tries.result();
}

/** Logins straight at the backends: what makes ids is there, and 10,000 take seconds. In the order of their answers. */
async function collect(target: Target) {
  const origins = target.backends.map(({ url }) => url);
  const turns = Array.from({ length: logins }, (_, at) => origins[at % origins.length]);
  return someAtOnce(turns, atOnce, async origin => {
    const [user, browser] = [target.freshUser(), target.browser(origin)];
    const answer = expectStatus(await patientLogin(browser, user, target.password), 200, 'the login');
    return { user, browser, answer, token: browser.token };
  });
}

/** 503 says to come again: a store may be too busy for a moment. */
async function patientLogin(browser: AttackBrowser, user: string, password: string): Promise<BrowserAnswer> {
  for (let times = 1; ; times++) {
    const answer = await browser.post('/login', { user, password });
    if (answer.status !== 503 || times === timesMax) return answer;
    await sleep(pauseMs);
  }
}

/**
 * What of a token is meant to be random, as far as a browser can read it. In a sealed token that is the nonce and the tag,
 * since the id inside is encrypted; of a JWT the ids in it and the refresh token, not the rest that can be known.
 */
function randomParts(strategy: Target['strategy'], token: string): Readonly<Record<string, Buffer>> {
  if (strategy === 'reference') return { id: decoded(token) };
  if (strategy === 'sealed') {
    const body = decoded(token.split('.').at(-1) ?? '');
    return { 'nonce and tag': Buffer.concat([body.subarray(0, 12), body.subarray(-16)]) };
  }
  const [access = '', refresh = ''] = token.split('~');
  const claims: Record<string, unknown> = JSON.parse(decoded(access.split('.')[1] ?? '').toString());
  return { 'refresh token': decoded(refresh), sid: decoded(String(claims.sid)), jti: decoded(String(claims.jti)) };
}

function decoded(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}

function look(tries: Tries, name: string, ids: readonly Buffer[], answers: readonly BrowserAnswer[]): void {
  const [first, second] = answers;
  const shown = [first, second].filter(answer => answer !== undefined);
  const bytes = Math.min(...ids.map(id => id.length));
  const distinct = new Set(ids.map(id => id.toString('hex'))).size;
  const steps = ids.slice(1).map((id, at) => xor(id, ids[at] ?? id));
  const biased = biasedBit(ids) ?? biasedBit(steps);
  const shared = sharedBits(ids);
  tries.addMany(ids.length, `the ${name} has ${bytes * 8} bits only`, bytes * 8 < bitsMin, ...shown);
  tries.add(`${ids.length - distinct} of ${ids.length} came twice: the ${name}`, distinct < ids.length, ...shown);
  tries.add(`bit ${biased} is not random: the ${name}`, biased !== undefined, ...shown);
  tries.add(`two have their first ${shared} bits in common: the ${name}`, shared > sharedBitsMax, ...shown);
}

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)));
}

/** Six standard deviations: of 10,000 bits within 4,700 to 5,300. One in 500 million fair bits lies outside. */
const deviationsMax = 6;

/** The first bit that is set too often or too rarely to be a fair coin; undefined when there is none. */
export function biasedBit(ids: readonly Buffer[]): number | undefined {
  const bits = Math.min(...ids.map(id => id.length)) * 8;
  const ones = new Array<number>(bits).fill(0);
  for (const id of ids) for (let bit = 0; bit < bits; bit++) ones[bit] = (ones[bit] ?? 0) + bitOf(id, bit);
  const farthest = (deviationsMax * Math.sqrt(ids.length)) / 2;
  const found = ones.findIndex(count => Math.abs(count - ids.length / 2) > farthest);
  return found === -1 ? undefined : found;
}

/** How many bits at their beginning the two that are most alike have in common. */
export function sharedBits(ids: readonly Buffer[]): number {
  const sorted = [...ids].sort(Buffer.compare);
  return sorted.slice(1).reduce((most, id, at) => Math.max(most, commonBits(id, sorted[at] ?? id)), 0);
}

function commonBits(one: Buffer, other: Buffer): number {
  const bits = Math.min(one.length, other.length) * 8;
  for (let bit = 0; bit < bits; bit++) if (bitOf(one, bit) !== bitOf(other, bit)) return bit;
  return bits;
}

function bitOf(bytes: Buffer, bit: number): number {
  return ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
}
