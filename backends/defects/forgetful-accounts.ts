import type { Defect } from './defect.js';

export const forgetfulAccounts: Defect = {
  summary: 'an account forgets which one-time code it took last, and how many wrong ones there were',
  accounts: accounts => ({
    read: async user => ({ ...(await accounts.read(user)), lastStep: 0, tries: 0, lockedUntilMs: 0 }),
    save: (user, account) => accounts.save(user, account),
  }),
};
