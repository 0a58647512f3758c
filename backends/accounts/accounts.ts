import { AccountsUnavailable } from '../refusal.js';
import { type Account, freshAccount } from './account.js';

/**
 * Where accounts are kept. Implementations: `memory.ts`, `directory.ts`.
 * Both calls reject with `AccountsUnavailable` when that place cannot be used, and with a `RangeError` for a user whose
 * name `isUserName` does not take: no name from outside becomes a path.
 */
export interface Accounts {
  /** `freshAccount` for whoever was never saved. */
  read(user: string): Promise<Account>;
  /** Only over `account.version - 1`, in one atomic step: of several that save the same version exactly one wins. */
  save(user: string, account: Account): Promise<'saved' | 'conflict'>;
}

const nameShape = /^[a-z0-9-]{1,64}$/;

export function isUserName(text: string): boolean {
  return nameShape.test(text);
}

export function checkedName(user: string): string {
  if (isUserName(user)) return user;
  throw new RangeError('no user can have this name');
}

const accountsMax = 100_000;

/** Accounts in the memory of this process: another process knows nothing of them. */
export class MemoryAccounts implements Accounts {
  readonly #kept = new Map<string, Account>();

  async read(user: string): Promise<Account> {
    return this.#kept.get(checkedName(user)) ?? freshAccount;
  }

  async save(user: string, account: Account): Promise<'saved' | 'conflict'> {
    const current = this.#kept.get(checkedName(user)) ?? freshAccount;
    if (current.version !== account.version - 1) return 'conflict';
    if (current === freshAccount && this.#kept.size >= accountsMax) throw new AccountsUnavailable();
    this.#kept.set(user, { ...account });
    return 'saved';
  }
}

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
