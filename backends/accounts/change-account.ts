import { AccountsUnavailable } from '../refusal.js';
import type { Account } from './account.js';
import type { Accounts } from './accounts.js';

const triesMax = 32;

/** What an edit makes of an account, and what its caller wants to know of that. */
export interface Edited<T> {
  readonly next: Account;
  readonly answer: T;
}

/**
 * Applies `edit` to the newest account and saves it; on a conflict reads again and applies it again. An edit that gives
 * back the account itself saves nothing. What `edit` throws leaves the account as it is. After 32 conflicts in a row:
 * `AccountsUnavailable`, which is what guessing in parallel comes to as well.
 */
export async function changeAccount<T>(
  accounts: Accounts,
  user: string,
  edit: (account: Account) => Edited<T>,
): Promise<Edited<T>> {
  for (let tries = 0; tries < triesMax; tries++) {
    const account = await accounts.read(user);
    const { next, answer } = edit(account);
    if (next === account) return { next, answer };
    const saved = { ...next, version: account.version + 1 };
    if ((await accounts.save(user, saved)) === 'saved') return { next: saved, answer };
  }
  throw new AccountsUnavailable();
}
