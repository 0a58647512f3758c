import { EventEmitter, once } from 'node:events';
import { expect } from 'chai';
import { freshAccount, MemoryAccounts } from '#backends/accounts/accounts.js';
import { FairQueue, Passwords, queueLimits, requireFitPassword, tryPassword } from '#backends/accounts/passwords.js';
import { TooBusy, TooManyAtOnce, UnfitPassword } from '#backends/refusal.js';
import { expectRejection } from '../../sessions/expect-rejection.js';
import { cheapHash } from './shortcuts.js';

describe('passwords', () => {
  const passwords = new Passwords('secret', 'root-secret');

  it('hashes a password at full cost, differently each time, and accepts it', async () => {
    const [hash, other] = [
      await passwords.hash('anna', 'correct horse'),
      await passwords.hash('anna', 'correct horse'),
    ];
    expect(hash).to.match(/^\$scrypt\$ln=15,r=8,p=3\$[\w-]{22}\$[\w-]{43}$/);
    expect(other).not.to.equal(hash);
    expect(await passwords.isRight('anna', { ...freshAccount, password: hash }, 'correct horse')).to.equal(true);
  });

  it('accepts the common password until a user chooses their own', async () => {
    const hash = cheapHash('correct horse');
    const chosen = { ...freshAccount, password: hash };
    expect(await passwords.isRight('anna', freshAccount, 'secret')).to.equal(true);
    expect(await passwords.isRight('anna', freshAccount, 'Secret')).to.equal(false);
    expect(await passwords.isRight('anna', chosen, 'correct horse')).to.equal(true);
    for (const wrong of ['secret', 'correct hors', 'correct horse ', '', hash]) {
      expect(await passwords.isRight('anna', chosen, wrong), wrong).to.equal(false);
    }
  });

  it('reads the parameters from the hash, and accepts composed and decomposed spelling', async () => {
    // scrypt("pässword", salt of 16 zero bytes, N=2^4 r=1 p=1), computed by Python's hashlib.
    const foreign = {
      ...freshAccount,
      password: '$scrypt$ln=4,r=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$Okb1DV6bxM3jgLz9u0MrGtQqNklt0faCHihWM15aBIA',
    };
    expect(await passwords.isRight('anna', foreign, 'p\u00e4ssword')).to.equal(true);
    expect(await passwords.isRight('anna', foreign, 'pa\u0308ssword')).to.equal(true);
    expect(await passwords.isRight('anna', foreign, 'password')).to.equal(false);
  });

  it('has an administrator only if there is a password for one', async () => {
    expect(passwords.isAdministrator('admin')).to.equal(true);
    expect(passwords.isAdministrator('anna')).to.equal(false);
    expect(await passwords.isRight('admin', freshAccount, 'root-secret')).to.equal(true);
    expect(await passwords.isRight('admin', freshAccount, 'secret')).to.equal(false);
    expect(await passwords.isRight('anna', freshAccount, 'root-secret')).to.equal(false);
    const without = new Passwords('secret', undefined);
    expect(without.isAdministrator('admin')).to.equal(false);
    expect(await without.isRight('admin', freshAccount, 'secret')).to.equal(true);
  });

  for (const [what, password] of [
    ['of 8 characters', 'abcdefgh'],
    ['of 128', 'x'.repeat(128)],
    ['of 8 that take 32 bytes', '😀'.repeat(8)],
    ['of words and spaces', 'correct horse battery'],
  ] as const) {
    it(`accepts a password ${what}`, () => {
      expect(requireFitPassword('anna', password)).to.equal(password);
    });
  }

  for (const [what, password, said] of [
    ['of 7 characters', 'abcdefg', /8 to 128 characters; this one has 7/],
    ['of 129', 'x'.repeat(129), /this one has 129/],
    ['that has 8 only while it is decomposed', 'a\u0308bcdefg', /has 7/],
    ['that is the name', 'Anna-Maria', /name of its user/],
    ['that is no Unicode', '\ud800abcdefgh', /Unicode/],
    ['of nothing', '', /has 0/],
  ] as const) {
    it(`rejects a password ${what}`, () => {
      expect(() => requireFitPassword('anna-maria', password)).to.throw(UnfitPassword, said);
    });
  }

  it('lets no account keep the others waiting with right passwords', async () => {
    const account = {
      ...freshAccount,
      password: '$scrypt$ln=4,r=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$Okb1DV6bxM3jgLz9u0MrGtQqNklt0faCHihWM15aBIA',
    };
    /** The order in which the checks begin: threads of the operating system decide which one ends first. */
    const begun: string[] = [];
    class WatchedQueue extends FairQueue {
      override run<T>(user: string, work: () => Promise<T>): Promise<T> {
        return super.run(user, () => {
          begun.push(user);
          return work();
        });
      }
    }
    const watched = new Passwords('secret', 'root-secret', new WatchedQueue(queueLimits));
    const logIn = async (user: string) => expect(await watched.isRight(user, account, 'p\u00e4ssword')).to.equal(true);
    const many = Array.from({ length: 20 }, () => logIn('anna').catch((error: unknown) => error));
    await logIn('berta');
    expect(begun.indexOf('berta'), 'at most the running ones and one turn come first').to.be.at.most(3);
    const refused = (await Promise.all(many)).filter(error => error instanceof TooManyAtOnce);
    expect(refused).to.have.length(14);
  });

  it('counts no try for a password that it was too busy to check', async () => {
    const accounts = new MemoryAccounts();
    const account = { ...freshAccount, version: 1, password: cheapHash('correct horse') };
    await accounts.save('anna', account);
    const queue = new FairQueue({ atOnceMax: 1, waitingMax: 0, waitingPerUserMax: 1 });
    const busy = { accounts, passwords: new Passwords('secret', undefined, queue) };
    const known = { browser: 'of-anna', address: '192.0.2.1' };
    const gate = new EventEmitter();
    const before = queue.run('berta', () => once(gate, 'open'));
    for (let tries = 0; tries < 6; tries++) {
      await expectRejection(tryPassword(busy, 'anna', 'correct horse', known), TooBusy);
    }
    expect(await accounts.read('anna')).to.deep.include({ wrongTries: {} });
    gate.emit('open');
    await before;
    expect(await tryPassword(busy, 'anna', 'wrong', known)).to.equal(undefined);
    const { wrongTries } = await accounts.read('anna');
    expect(Object.entries(wrongTries).map(([name, { count }]) => [name, count])).to.deep.equal([['of-anna', 1]]);
  });
});
