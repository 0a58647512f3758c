import { DirectoryAccounts } from '#backends/accounts/accounts.js';

/** Saves several versions of one account, each over the newest version. Counts its saves in the epoch. */
const [root = '', user = '', count = ''] = process.argv.slice(2);
const accounts = new DirectoryAccounts(root);
let saved = 0;
while (saved < Number(count)) {
  const account = await accounts.read(user);
  const next = { ...account, version: account.version + 1, epoch: account.epoch + 1 };
  if ((await accounts.save(user, next)) === 'saved') saved++;
}
