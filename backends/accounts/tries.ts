import { TooManyTries } from '../refusal.js';
import type { Account } from './account.js';

export const triesMax = 5;
export const lockMs = 5 * 60_000;

/**
 * Whose tries they are: those of a browser that has given the password before (`known-browser.ts`) or holds a session,
 * or anybody else's. They are counted and locked apart. So whoever guesses from elsewhere locks out whoever comes from
 * elsewhere, and never the user from the user's own browsers.
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

/** One more wrong try; the fifth locks. When a lock is over, counting begins again. */
export function withTry(account: Account, guesser: Guesser, nowMs: number): Account {
  const before = counterOf(account, guesser);
  const tries = before.tries >= triesMax ? 1 : before.tries + 1;
  return withCounter(account, guesser, { tries, lockedUntilMs: tries >= triesMax ? nowMs + lockMs : 0 });
}

/** For a try that was counted beforehand and turned out not to be a wrong one. */
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
