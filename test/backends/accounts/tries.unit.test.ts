import { expect } from 'chai';
import { type Account, freshAccount, parseAccount } from '#backends/accounts/accounts.js';
import {
  AddressTries,
  addressTriesFree,
  refuseLocked,
  withoutTries,
  withTry,
  withTryBack,
} from '#backends/accounts/tries.js';
import { TooBusy, TooManyTries, WrongCode, WrongLogin } from '#backends/refusal.js';
import { expectRejection } from '../../sessions/expect-rejection.js';

const startMs = 1_800_000_000_000;
const hourMs = 3_600_000;
const address = '192.0.2.1';
const unknown = { browser: undefined, address };
const browser = (name: string) => ({ browser: name, address });

/** Tries at every possible moment, and returns the waits in seconds. */
function waitsAfter(count: number, guesser = unknown): number[] {
  let [account, nowMs]: [Account, number] = [freshAccount, startMs];
  return Array.from({ length: count }, () => {
    account = withTry(account, guesser, nowMs);
    const [{ waitUntilMs } = { waitUntilMs: 0 }] = Object.values(account.wrongTries);
    const waitMs = waitUntilMs - nowMs;
    nowMs = waitUntilMs;
    return waitMs / 1000;
  });
}

function withTries(count: number, guesser: Parameters<typeof withTry>[1], account: Account = freshAccount): Account {
  return Array.from({ length: count }).reduce<Account>(each => withTry(each, guesser, startMs), account);
}

describe('wrong tries of an account', () => {
  it('bring no wait four times, and then waits that double up to one hour', () => {
    expect(waitsAfter(13)).to.deep.equal([0, 0, 0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
  });

  it('are refused until the wait is over', () => {
    const account = withTries(5, unknown);
    expect(() => refuseLocked(account, unknown, startMs + 59_001)).to.throw(TooManyTries, /in 1 s$/);
    expect(() => refuseLocked(withTries(7, unknown), unknown, startMs)).to.throw(TooManyTries, /in 4 min$/);
    refuseLocked(account, unknown, startMs + 60_000);
  });

  it('of unknown clients make no known browser wait, and known browsers make no other browser wait', () => {
    const account = withTries(9, unknown);
    refuseLocked(account, browser('one'), startMs);
    const both = withTries(9, browser('one'), account);
    refuseLocked(both, browser('two'), startMs);
    refuseLocked(withoutTries(both, unknown, startMs), unknown, startMs);
  });

  it('are forgotten after the right password, and a day after the last wait', () => {
    expect(withoutTries(withTries(9, unknown), unknown, startMs).wrongTries).to.deep.equal({});
    const account = withTries(5, unknown);
    const dayLaterMs = startMs + 60_000 + 24 * hourMs;
    expect(Object.values(withTry(account, unknown, dayLaterMs).wrongTries)).to.deep.equal([
      { count: 1, waitUntilMs: dayLaterMs },
    ]);
    expect(Object.values(withTry(account, unknown, dayLaterMs - 1).wrongTries)[0]?.count).to.equal(6);
  });

  it('that are taken back leave neither a count nor a wait', () => {
    expect(withTryBack(withTries(1, unknown), unknown, startMs)).to.deep.equal(freshAccount);
    const account = withTryBack(withTries(5, unknown), unknown, startMs);
    refuseLocked(account, unknown, startMs);
    expect(Object.values(account.wrongTries)).to.deep.equal([{ count: 4, waitUntilMs: startMs }]);
  });

  it('of many known browsers share the counter of unknown clients when there are more than 16', () => {
    const names = Array.from({ length: 40 }, (_, number) => `browser-${number}`);
    const account = names.reduce<Account>((each, name) => withTries(4, browser(name), each), freshAccount);
    expect(Object.keys(account.wrongTries)).to.have.length(17);
    expect(() => refuseLocked(account, browser('browser-39'), startMs)).to.throw(TooManyTries);
    refuseLocked(account, browser('browser-0'), startMs);
  });

  it('are read from a saved account; one of version 0.1 has none', () => {
    const account = withTries(5, unknown);
    expect(parseAccount(JSON.stringify(account))).to.deep.equal(account);
    const { wrongTries: _, ...fields } = freshAccount;
    const old = { ...fields, version: 7, tries: 3, lockedUntilMs: 1, strangerTries: 5, strangersLockedUntilMs: 1 };
    expect(parseAccount(JSON.stringify(old))).to.deep.equal({ ...freshAccount, version: 7 });
    for (const wrongTries of [null, [], { a: 1 }, { a: { count: '1', waitUntilMs: 0 } }, 'x']) {
      const text = JSON.stringify({ ...freshAccount, wrongTries });
      expect(() => parseAccount(text), text).to.throw(/no usable wrongTries/);
    }
  });
});

describe('wrong tries of an address', () => {
  let nowMs: number;
  let addresses: AddressTries;

  beforeEach(() => {
    nowMs = startMs;
    addresses = new AddressTries(() => nowMs);
  });

  const wrong = (guesser = unknown) =>
    addresses.run(guesser, () => Promise.reject(new WrongLogin())).catch((error: unknown) => error);
  const right = (guesser: Parameters<AddressTries['run']>[0] = unknown) => addresses.run(guesser, async () => 'in');

  it('are limited over all accounts, with waits that double; a known browser does not wait', async () => {
    for (let tries = 0; tries < addressTriesFree; tries++) expect(await wrong()).to.be.instanceOf(WrongLogin);
    expect((await expectRejection(right(), TooManyTries)).message).to.match(/in 60 s$/);
    expect(await right(browser('one'))).to.equal('in');
    expect(await right({ ...unknown, address: '192.0.2.2' })).to.equal('in');
    nowMs += 60_000;
    await wrong();
    expect((await expectRejection(right(), TooManyTries)).message).to.match(/in 120 s$/);
    nowMs += 120_000;
    expect(await right()).to.equal('in');
  });

  it('count wrong codes too, but neither right passwords nor failures', async () => {
    for (let tries = 0; tries < 2 * addressTriesFree; tries++) {
      await right();
      await expectRejection(
        addresses.run(unknown, () => Promise.reject(new TooBusy())),
        TooBusy,
      );
    }
    const code = () => addresses.run(unknown, () => Promise.reject(new WrongCode())).catch(() => undefined);
    for (let tries = 0; tries < addressTriesFree; tries++) await code();
    await expectRejection(right(), TooManyTries);
  });

  it('are not reset by a login to an own account', async () => {
    for (let tries = 0; tries < addressTriesFree - 1; tries++) await wrong();
    await right();
    await wrong();
    await expectRejection(right(), TooManyTries);
  });

  it('count parallel guesses before their check is over', async () => {
    const answers = await Promise.all(Array.from({ length: 2 * addressTriesFree }, () => wrong()));
    expect(answers.filter(error => error instanceof WrongLogin)).to.have.length(addressTriesFree);
  });

  it('count an IPv6 network as one client', async () => {
    for (let tries = 0; tries < addressTriesFree; tries++) await wrong({ ...unknown, address: `2001:db8::${tries}` });
    await expectRejection(right({ ...unknown, address: '2001:db8::ffff' }), TooManyTries);
  });
});
