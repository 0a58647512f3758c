import { AccountsUnavailable } from '../refusal.js';
import { type Account, freshAccount } from './account.js';
import { type Accounts, checkedName } from './accounts.js';

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
