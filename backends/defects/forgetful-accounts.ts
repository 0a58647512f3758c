import type { Account } from '../accounts/account.js';
import type { Defect } from './defect.js';

export const forgetfulAccounts: Defect = {
  summary: 'an account forgets which one-time code it took last, and how many wrong ones there were',
  accounts: accounts => ({
    read: async user => ({ ...(await accounts.read(user)), ...forgotten }),
    save: (user, account) => accounts.save(user, account),
  }),
};

const forgotten: Partial<Account> = {
  lastStep: 0,
  tries: 0,
  lockedUntilMs: 0,
  strangerTries: 0,
  strangersLockedUntilMs: 0,
};
