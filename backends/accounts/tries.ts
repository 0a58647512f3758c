import { TooManyTries } from '../refusal.js';
import type { Account } from './account.js';

export const triesMax = 5;
export const lockMs = 5 * 60_000;

export function refuseLocked({ lockedUntilMs }: Account, nowMs: number): void {
  if (nowMs < lockedUntilMs) throw new TooManyTries(Math.ceil((lockedUntilMs - nowMs) / 1000));
}

/** One more wrong try; the fifth locks. When a lock is over, counting begins again. */
export function withTry(account: Account, nowMs: number): Account {
  const tries = account.tries >= triesMax ? 1 : account.tries + 1;
  return { ...account, tries, lockedUntilMs: tries >= triesMax ? nowMs + lockMs : 0 };
}

export function withoutTries(account: Account): Account {
  return account.tries === 0 ? account : { ...account, tries: 0, lockedUntilMs: 0 };
}
