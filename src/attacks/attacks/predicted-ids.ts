import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { mapConcurrently } from '../tools/at-once.js';
import type { AttackBrowser, BrowserAnswer } from '../tools/browser.js';
import { readToken } from '../tools/forge-jwt.js';
import { openSeal } from '../tools/forge-seal.js';
import { expectStatus, isHonoured } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

/** Enough to find a part that is constant, counted or timed. More of them could not show that the rest is random. */
const logins = 500;
const atOnce = 16;
const timesMax = 20;
const pauseMs = 100;
/** ASVS 5.0.0 7.2.3 asks for 128 bits. */
const bitsMin = 128;
/** Among 500 random ids, the two most similar share some 17 bits. To share 64 bits takes some 2^32 ids. */
const sharedBitsMax = 64;

const probes = {
  'the length of an id': ['timed-ids'],
  'a repeated id': ['timed-ids'],
  'a biased bit': ['timed-ids'],
  'a bit that follows the id before': ['timed-ids'],
  'a common beginning': ['timed-ids'],
  'the id in a signed token': ['jwt-trusting'],
  'the refresh token': ['jwt-trusting'],
  'the id in a sealed token': ['seal-trusting'],
} as const;

type Probe = keyof typeof probes;

/**
 * Looks for flaws in a sample of ids. It can find an id that is short, repeated, counted or timed. It cannot show that
 * ids come from a cryptographically secure generator: a weak generator passes every statistical test too.
 */
export const predictedIds: Attack = {
  title: 'look for flaws in the ids of 500 logins: length, repeats, biased bits, bits that follow the id before',
  asvs: ['7.2.2', '7.2.3'],
  probes,
  statistical: true,
  // So many logins would delay the answers of every other attack.
  alone: true,
  run,
};

async function run(target: Target) {
  const tries = new Tries<Probe>();
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
  const parts: readonly (readonly [Probe, (token: string) => Buffer])[] =
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

type Check = readonly [probe: Probe, flaw: string, isFound: boolean];

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
