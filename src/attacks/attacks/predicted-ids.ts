import { setTimeout as sleep } from 'node:timers/promises';
import { someAtOnce } from '../at-once.js';
import { type Attack, Tries } from '../attack.js';
import type { Answer, Browser } from '../browser.js';
import { Inconclusive } from '../errors.js';
import { biasedBit, sharedBits } from '../randomness.js';
import { expectStatus, isHonoured } from '../shop.js';
import type { Target } from '../target.js';

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
async function patientLogin(browser: Browser, user: string, password: string): Promise<Answer> {
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

function look(tries: Tries, name: string, ids: readonly Buffer[], answers: readonly Answer[]): void {
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
