import { AccountsUnavailable } from '../refusal.js';
import { type Account, freshAccount } from './account.js';

/**
 * Storage for accounts. Implementations: `MemoryAccounts`, `directory.ts`.
 *
 * Both methods reject with `AccountsUnavailable` if the storage cannot be used. For a name that `isUserName` refuses,
 * they reject with a `RangeError`: no foreign name becomes a path.
 */
export interface Accounts {
  /** If the account was never saved, `read` resolves with `freshAccount`. */
  read(user: string): Promise<Account>;
  /** Saves over `account.version - 1` in one atomic step. Of several saves of the same version, exactly one wins; the
   * others resolve with `conflict`. */
  save(user: string, account: Account): Promise<'saved' | 'conflict'>;
}

const nameShape = /^[a-z0-9-]{1,64}$/;

export function isUserName(text: string): boolean {
  return nameShape.test(text);
}

export function assertUserName(user: string): string {
  if (isUserName(user)) return user;
  throw new RangeError('no user can have this name');
}

const accountsMax = 100_000;

/** Accounts in the memory of this process. Other processes do not see them. */
export class MemoryAccounts implements Accounts {
  readonly #kept = new Map<string, Account>();

  async read(user: string): Promise<Account> {
    return this.#kept.get(assertUserName(user)) ?? freshAccount;
  }

  async save(user: string, account: Account): Promise<'saved' | 'conflict'> {
    const current = this.#kept.get(assertUserName(user)) ?? freshAccount;
    if (current.version !== account.version - 1) return 'conflict';
    if (current === freshAccount && this.#kept.size >= accountsMax) throw new AccountsUnavailable();
    this.#kept.set(user, { ...account });
    return 'saved';
  }
}

const triesMax = 32;

/** The result of an edit: the next account, and the answer for the caller. */
export interface Edited<T> {
  readonly next: Account;
  readonly answer: T;
}

/**
 * Applies `edit` to the newest account and saves it. On a conflict it reads again and retries. If `edit` returns the
 * same account, nothing is saved. If `edit` throws, the account stays as it is. After 32 conflicts in a row it rejects
 * with `AccountsUnavailable`; parallel guessing of a password ends this way too.
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
