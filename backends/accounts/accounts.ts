import type { Account } from './account.js';

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
