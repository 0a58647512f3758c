import { TooManyTries } from '../refusal.js';
import type { Account } from './account.js';

export const triesMax = 5;
export const lockMs = 5 * 60_000;

/**
 * The origin of a try. `known`: a browser that gave the password before (`browser-cookies.ts`) or has a session.
 * `stranger`: any other client. The two are counted and locked separately. So an attacker can lock out other strangers,
 * but never the user's own browsers.
 */
export type Guesser = 'known' | 'stranger';

interface Counter {
  readonly tries: number;
  readonly lockedUntilMs: number;
}

export function refuseLocked(account: Account, guesser: Guesser, nowMs: number): void {
  const { lockedUntilMs } = counterOf(account, guesser);
  if (nowMs < lockedUntilMs) throw new TooManyTries(Math.ceil((lockedUntilMs - nowMs) / 1000));
}

/** Counts a wrong try; the fifth one locks. After a lock, counting starts again. */
export function withTry(account: Account, guesser: Guesser, nowMs: number): Account {
  const before = counterOf(account, guesser);
  const tries = before.tries >= triesMax ? 1 : before.tries + 1;
  return withCounter(account, guesser, { tries, lockedUntilMs: tries >= triesMax ? nowMs + lockMs : 0 });
}

/** Takes back a try that was counted in advance and was not wrong. */
export function withTryBack(account: Account, guesser: Guesser): Account {
  const tries = Math.max(0, counterOf(account, guesser).tries - 1);
  return withCounter(account, guesser, { tries, lockedUntilMs: 0 });
}

export function withoutTries(account: Account, guesser: Guesser): Account {
  const isClean = counterOf(account, guesser).tries === 0;
  return isClean ? account : withCounter(account, guesser, { tries: 0, lockedUntilMs: 0 });
}

function counterOf(
  { tries, lockedUntilMs, strangerTries, strangersLockedUntilMs }: Account,
  guesser: Guesser,
): Counter {
  if (guesser === 'known') return { tries, lockedUntilMs };
  return { tries: strangerTries, lockedUntilMs: strangersLockedUntilMs };
}

function withCounter(account: Account, guesser: Guesser, { tries, lockedUntilMs }: Counter): Account {
  if (guesser === 'known') return { ...account, tries, lockedUntilMs };
  return { ...account, strangerTries: tries, strangersLockedUntilMs: lockedUntilMs };
}
