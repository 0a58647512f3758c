import { SessionGone } from '#src/sessions/errors.js';
import type { Sessions } from '#src/sessions/sessions.js';
import type { SessionContext } from '#src/sessions/visit.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Account } from './account.js';
import { type Accounts, changeAccount } from './accounts.js';
import type { Passwords } from './passwords.js';

/** What the routes about accounts and logins work with. */
export interface Members {
  readonly accounts: Accounts;
  readonly passwords: Passwords;
  readonly keys: () => KeyRing;
  /** What every session holds beside all that is needed. */
  readonly ballast: string;
  readonly sessions: Pick<Sessions, 'list' | 'endOne' | 'endAll' | 'endEveryone'>;
}

/**
 * For a step that makes a token: looks at the account again, and ends the session when all of its user's were ended in
 * the meantime. Whoever ends them changes the epoch first and lists them afterwards. So a token is either made early
 * enough to be in that list, or late enough for the new epoch to be seen here.
 */
export async function whileStanding(
  { accounts }: Members,
  user: string,
  { epoch }: Account,
  visit: SessionContext,
  step: () => Promise<void>,
): Promise<void> {
  await step();
  try {
    refuseFallen(await accounts.read(user), epoch);
  } catch (error) {
    await visit.end();
    throw error;
  }
}

/** Throws when the sessions of this user were ended since the account had this epoch. */
export function refuseFallen(account: Account, epoch: number): void {
  if (account.disabled || account.epoch !== epoch) throw new SessionGone();
}

/** Ends the user's sessions but the one with the handle `except`, and whatever login is under way. */
export async function endSessions({ accounts, sessions }: Members, user: string, except?: string): Promise<number> {
  await changeAccount(accounts, user, account => ({ next: fallen(account), answer: undefined }));
  return sessions.endAll(user, except);
}

export function fallen(account: Account): Account {
  return { ...account, epoch: account.epoch + 1 };
}
