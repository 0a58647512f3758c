import { expect } from 'chai';
import { type Account, type Accounts, changeAccount, freshAccount } from '#backends/accounts/accounts.js';
import { expectRejection } from '../../sessions/expect-rejection.js';

/** The contract of `Accounts`. `opened` returns an empty instance each time. */
export function accountsContract(opened: () => Accounts): void {
  let accounts: Accounts;

  beforeEach(() => {
    accounts = opened();
  });

  const version = (number: number, changes: Partial<Account> = {}): Account => ({
    ...freshAccount,
    ...changes,
    version: number,
  });

  it('reads the default for an account that was never saved', async () => {
    expect(await accounts.read('anna')).to.deep.equal(freshAccount);
  });

  it('reads a saved account only under its own name', async () => {
    const saved = version(1, { password: '$scrypt$ü', totp: 'v1.k.abc', lastStep: 59_851_807, disabled: true });
    expect(await accounts.save('anna', saved)).to.equal('saved');
    expect(await accounts.read('anna')).to.deep.equal(saved);
    expect(await accounts.read('ann')).to.deep.equal(freshAccount);
    expect(await accounts.read('anna-')).to.deep.equal(freshAccount);
  });

  it('saves the next version and no other', async () => {
    for (const wrong of [0, 2, 3, -1]) expect(await accounts.save('anna', version(wrong))).to.equal('conflict');
    expect(await accounts.read('anna')).to.deep.equal(freshAccount);
    await accounts.save('anna', version(1));
    for (const wrong of [0, 1, 3])
      expect(await accounts.save('anna', version(wrong, { epoch: 9 }))).to.equal('conflict');
    expect(await accounts.save('anna', version(2, { epoch: 2 }))).to.equal('saved');
    expect(await accounts.read('anna')).to.deep.equal(version(2, { epoch: 2 }));
  });

  it('reports a conflict for any old version', async () => {
    for (let number = 1; number <= 20; number++) await accounts.save('anna', version(number));
    for (let number = 0; number <= 20; number++) {
      expect(await accounts.save('anna', version(number, { epoch: 9 })), String(number)).to.equal('conflict');
    }
    expect(await accounts.read('anna')).to.deep.equal(version(20));
  });

  it('lets exactly one of many parallel saves of a version win', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, index) => accounts.save('anna', version(1, { epoch: index }))),
    );
    const winner = outcomes.indexOf('saved');
    expect(outcomes.filter(outcome => outcome === 'saved')).to.have.length(1);
    expect((await accounts.read('anna')).epoch).to.equal(winner);
  });

  it('shares no object with callers', async () => {
    const mine = { ...version(1) };
    await accounts.save('anna', mine);
    mine.disabled = true;
    expect((await accounts.read('anna')).disabled).to.equal(false);
  });

  for (const name of [
    '',
    '.',
    '..',
    '../anna',
    'a/b',
    '/etc/passwd',
    'Anna',
    'a\0',
    'a\n',
    'ä',
    'x'.repeat(65),
    'a%2f',
  ]) {
    it(`rejects the user ${JSON.stringify(name).slice(0, 20)}`, async () => {
      await expectRejection((async () => accounts.read(name))(), RangeError);
      await expectRejection((async () => accounts.save(name, version(1)))(), RangeError);
    });
  }

  it('accepts the longest name', async () => {
    expect(await accounts.save('x'.repeat(64), version(1))).to.equal('saved');
  });

  it('loses no parallel change', async () => {
    const edit = (account: Account) => ({ next: { ...account, epoch: account.epoch + 1 }, answer: account.version });
    await Promise.all(Array.from({ length: 6 }, () => changeAccount(accounts, 'anna', edit)));
    expect(await accounts.read('anna')).to.deep.equal(version(6, { epoch: 6 }));
  });
}
