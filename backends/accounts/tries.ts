import { TooManyTries } from '../refusal.js';
import type { Account, WrongTries } from './account.js';

/** Wrong tries of one counter before the first wait, and the waits after that: 1 min, then twice as long each time. */
export const triesFree = 5;
const firstWaitMs = 60_000;
const waitMsMax = 3_600_000;
/** A counter starts again this long after its last wait. */
const forgetMs = 24 * 3_600_000;

/**
 * The client of a try. `browser` names the counter of a browser in which this user has logged in before
 * (`browser-cookies.ts`). It is undefined for every other client; these share one counter of the account. So an attacker
 * can make unknown clients wait, but no browser of the user.
 */
export interface Guesser {
  readonly browser: string | undefined;
  /** The address of the client. `address-tries.ts` counts unknown clients by it, over all accounts. */
  readonly address: string;
}

const unknownClients = 'unknown';
/** Known browsers that have a counter in an account. Further ones share the counter of the unknown clients. Otherwise
 * an attacker who once knew the password could make many known browsers, and guess a little in each. */
const browsersMax = 16;

export function refuseLocked(account: Account, guesser: Guesser, nowMs: number): void {
  refuseWaiting(account.wrongTries[counterName(account, guesser, nowMs)], nowMs);
}

/** Throws `TooManyTries` while the wait after the last wrong try lasts. */
export function refuseWaiting(tries: WrongTries | undefined, nowMs: number): void {
  const waitMs = (tries?.waitUntilMs ?? 0) - nowMs;
  if (waitMs > 0) throw new TooManyTries(Math.ceil(waitMs / 1000));
}

/** Counts a wrong try. */
export function withTry(account: Account, guesser: Guesser, nowMs: number): Account {
  const name = counterName(account, guesser, nowMs);
  const tries = withOneMore(account.wrongTries[name], triesFree, forgetMs, nowMs);
  return { ...account, wrongTries: { ...dropForgotten(account, nowMs), [name]: tries } };
}

/** Takes back a try that was counted in advance and was not wrong. */
export function withTryBack(account: Account, guesser: Guesser, nowMs: number): Account {
  const name = counterName(account, guesser, nowMs);
  const { [name]: tries, ...others } = account.wrongTries;
  const count = (tries?.count ?? 0) - 1;
  return { ...account, wrongTries: count > 0 ? { ...others, [name]: { count, waitUntilMs: nowMs } } : others };
}

/** Sets the counter of this client back to zero. */
export function withoutTries(account: Account, guesser: Guesser, nowMs: number): Account {
  const { [counterName(account, guesser, nowMs)]: tries, ...others } = account.wrongTries;
  return tries === undefined ? account : { ...account, wrongTries: others };
}

/** Returns the counter after one more wrong try. The wrong try with the number `free` brings the first wait. */
export function withOneMore(
  before: WrongTries | undefined,
  free: number,
  forgetAfterMs: number,
  nowMs: number,
): WrongTries {
  const isForgotten = before === undefined || nowMs >= before.waitUntilMs + forgetAfterMs;
  const count = isForgotten ? 1 : before.count + 1;
  const waitMs = count < free ? 0 : Math.min(firstWaitMs * 2 ** (count - free), waitMsMax);
  return { count, waitUntilMs: nowMs + waitMs };
}

function counterName(account: Account, { browser }: Guesser, nowMs: number): string {
  if (browser === undefined) return unknownClients;
  const counters = dropForgotten(account, nowMs);
  const hasRoom = Object.keys(counters).length < browsersMax;
  return hasRoom || Object.hasOwn(counters, browser) ? browser : unknownClients;
}

function dropForgotten({ wrongTries }: Account, nowMs: number): Account['wrongTries'] {
  return Object.fromEntries(Object.entries(wrongTries).filter(([, { waitUntilMs }]) => nowMs < waitUntilMs + forgetMs));
}
