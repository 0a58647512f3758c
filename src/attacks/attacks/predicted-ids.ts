import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { mapConcurrently } from '../tools/at-once.js';
import type { AttackBrowser, BrowserAnswer } from '../tools/browser.js';
import { expectStatus, isHonoured } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const logins = 10_000;
const atOnce = 16;
const timesMax = 20;
const pauseMs = 100;
/** ASVS 5.0.0 7.2.3 asks for 128 bits. */
const bitsMin = 128;
/** Among 10,000 random ids, the two most similar share some 27 bits. To share 64 bits takes some 2^38 ids. */
const sharedBitsMax = 64;

export const predictedIds: Attack = {
  title:
    'predict a token from 10,000 others: by length, duplicates, biased bits, common prefixes, or the token before it',
  asvs: ['7.2.2', '7.2.3'],
  weak: ['counting-ids'],
  // So many logins would delay the answers of every other attack.
  alone: true,
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  const tokens = await collect(target);
  const [first] = tokens;
  if (first === undefined || !(await isHonoured(first.browser, first.user)))
    throw new Inconclusive('a collected token does not open its session');
  const parts = tokens.map(({ token }) => randomParts(target.strategy, token));
  for (const name of Object.keys(parts[0] ?? {})) {
    const ids = parts.map(part => part[name] ?? Buffer.alloc(0));
    checkIds(
      tries,
      name,
      ids,
      tokens.map(({ answer }) => answer),
    );
  }
  return tries.result();
}

/** Logs in directly at the backends, because they make the ids and 10,000 logins take seconds. Keeps the order. */
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

/**
 * Returns the random parts of a token that a browser can read. A sealed token has the nonce and the tag, because the id
 * inside is encrypted. A JWT has the ids in it and the refresh token; its other claims are not random.
 */
function randomParts(strategy: Target['strategy'], token: string): Readonly<Record<string, Buffer>> {
  if (strategy === 'reference') return { id: decode(token) };
  if (strategy === 'sealed') {
    const body = decode(token.split('.').at(-1) ?? '');
    return { 'nonce and tag': Buffer.concat([body.subarray(0, 12), body.subarray(-16)]) };
  }
  const [access = '', refresh = ''] = token.split('~');
  const claims: Record<string, unknown> = JSON.parse(decode(access.split('.')[1] ?? '').toString());
  return { 'refresh token': decode(refresh), sid: decode(String(claims.sid)), jti: decode(String(claims.jti)) };
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}

function checkIds(tries: Tries, name: string, ids: readonly Buffer[], answers: readonly BrowserAnswer[]): void {
  const [first, second] = answers;
  const shown = [first, second].filter(answer => answer !== undefined);
  const bytes = Math.min(...ids.map(id => id.length));
  const distinct = new Set(ids.map(id => id.toString('hex'))).size;
  const steps = ids.slice(1).map((id, at) => xor(id, ids[at] ?? id));
  const biased = findBiasedBit(ids) ?? findBiasedBit(steps);
  const shared = countSharedBits(ids);
  tries.addMany(ids.length, `the ${name} has only ${bytes * 8} bits`, bytes * 8 < bitsMin, ...shown);
  tries.add(`the ${name} was repeated ${ids.length - distinct} times`, distinct < ids.length, ...shown);
  tries.add(`bit ${biased} of the ${name} is not random`, biased !== undefined, ...shown);
  tries.add(`the ${name} of two tokens begins with the same ${shared} bits`, shared > sharedBitsMax, ...shown);
}

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)));
}

/** Six standard deviations: 4,700 to 5,300 ones in 10,000 bits. One in 500 million fair bits lies outside. */
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
