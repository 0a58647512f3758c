import { SessionGone } from '#src/sessions/errors.js';
import type { Sessions } from '#src/sessions/sessions.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Account } from './account.js';
import { type Accounts, changeAccount } from './accounts.js';
import type { AddressTries } from './address-tries.js';
import type { Passwords } from './passwords.js';

/** The services that the routes about accounts and logins need. */
export interface Members {
  readonly accounts: Accounts;
  readonly passwords: Passwords;
  readonly addresses: AddressTries;
  readonly keys: () => KeyRing;
  /** Padding in every session. */
  readonly ballast: string;
  readonly sessions: Pick<Sessions, 'list' | 'endOne' | 'endAll' | 'endEveryone'>;
}

/** Throws if the sessions of this user were ended since the account had this epoch. */
export function refuseEnded(account: Account, epoch: number): void {
  if (account.disabled || account.epoch !== epoch) throw new SessionGone();
}

/** Ends the sessions of the user. Also ends logins in progress. */
export async function endSessions(members: Members, user: string): Promise<number> {
  await endLogins(members, user);
  return members.sessions.endAll(user);
}

/** Ends the logins of the user that are in progress. */
export async function endLogins({ accounts }: Members, user: string): Promise<void> {
  await changeAccount(accounts, user, account => ({ next: withNextEpoch(account), answer: undefined }));
}

export function withNextEpoch(account: Account): Account {
  return { ...account, epoch: account.epoch + 1 };
}
