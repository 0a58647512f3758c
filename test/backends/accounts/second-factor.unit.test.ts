import { expect } from 'chai';
import { generateSync } from 'otplib';
import {
  type Account,
  changeAccount,
  DirectoryAccounts,
  type Edited,
  freshAccount,
} from '#backends/accounts/accounts.js';
import {
  buildEnrolment,
  newSecret,
  pendingMs,
  stepOf,
  withCode,
  withConfirmed,
  withPending,
} from '#backends/accounts/second-factor.js';
import { triesFree } from '#backends/accounts/tries.js';
import { NothingToConfirm, SecretUnreadable, TooManyTries } from '#backends/refusal.js';
import { generateKeyRing } from '#src/shared/key-ring.js';
import { withDirectory } from './with-directory.js';

const nowMs = 1_800_000_000_000;
const known = { browser: 'of-anna', address: '192.0.2.1' };
const stepMs = 30_000;
const keys = generateKeyRing();

const codeAt = (secret: string, ms: number) => generateSync({ secret, epoch: Math.floor(ms / 1000) });

/** An account with a second factor, and the secret of its authenticator app. */
function enrolled(user = 'anna', ring = keys): { account: Account; secret: string } {
  const secret = newSecret();
  const pending = withPending(freshAccount, { user, keys: ring, nowMs: nowMs - 10 * stepMs }, secret);
  const confirmedMs = nowMs - 9 * stepMs;
  const code = codeAt(secret, confirmedMs);
  const { next, answer } = withConfirmed(pending, { user, code, from: known, keys: ring, nowMs: confirmedMs });
  expect(answer).to.equal(true);
  return { account: next, secret };
}

const attempt = (code: string, ms = nowMs) => ({ user: 'anna', code, from: known, keys, nowMs: ms });

describe('second factor', () => {
  it('has the codes of RFC 6238, appendix B', () => {
    const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
    for (const [seconds, code, step] of [
      [59, '287082', 1],
      [1_111_111_109, '081804', 37_037_036],
      [20_000_000_000, '353130', 666_666_666],
    ] as const) {
      expect(stepOf(secret, code, seconds * 1000)).to.equal(step);
    }
  });

  it('accepts the codes of the previous and the present step, and no other', () => {
    const secret = newSecret();
    const present = nowMs / stepMs;
    const taken = [-3, -2, -1, 0, 1, 2, 3].map(away => stepOf(secret, codeAt(secret, nowMs + away * stepMs), nowMs));
    expect(taken).to.deep.equal([undefined, undefined, present - 1, present, undefined, undefined, undefined]);
  });

  for (const code of ['', '12345', '1234567', '12345a', ' 12345', '１２３４５６', '-12345', '1e5000']) {
    it(`rejects the code ${JSON.stringify(code)}`, () => {
      expect(stepOf(newSecret(), code, nowMs)).to.equal(undefined);
    });
  }

  it('shows the secret as a URI and as a QR code', async () => {
    const secret = newSecret();
    const { uri, picture } = await buildEnrolment('anna-2', secret);
    expect(uri).to.equal(`otpauth://totp/Holdfast%20shop:anna-2?secret=${secret}&issuer=Holdfast%20shop`);
    const [head, body = ''] = picture.split(',');
    expect(head).to.equal('data:image/svg+xml;base64');
    expect(Buffer.from(body, 'base64').toString()).to.match(/^<svg .*<\/svg>\s*$/s);
    expect(secret).to.match(/^[A-Z2-7]{32}$/);
  });

  it('seals the secret for its user only', () => {
    const { account, secret } = enrolled();
    expect(JSON.stringify(account)).not.to.contain(secret);
    const stolen = { ...freshAccount, totp: account.totp };
    const code = codeAt(secret, nowMs);
    expect(() => withCode(stolen, { ...attempt(code), user: 'berta' })).to.throw(SecretUnreadable);
    expect(() => withCode(account, { ...attempt(code), keys: generateKeyRing() })).to.throw(SecretUnreadable);
  });

  it('is required only after the first right code', () => {
    const secret = newSecret();
    const pending = withPending(freshAccount, { user: 'anna', keys, nowMs }, secret);
    expect(pending.totp).to.equal(null);
    const wrong = withConfirmed(pending, attempt('000000'));
    expect(wrong).to.deep.include({ answer: false });
    expect(wrong.next).to.deep.include({ totp: null, wrongTries: { 'of-anna': { count: 1, waitUntilMs: nowMs } } });
    const { next } = withConfirmed(wrong.next, attempt(codeAt(secret, nowMs)));
    expect(next).to.deep.include({ pendingTotp: null, wrongTries: {}, lastStep: nowMs / stepMs, epoch: 1 });
    expect(() => withConfirmed(next, attempt(codeAt(secret, nowMs)))).to.throw(NothingToConfirm);
  });

  it('waits ten minutes for the first code', () => {
    const secret = newSecret();
    const pending = withPending(freshAccount, { user: 'anna', keys, nowMs }, secret);
    const at = (ms: number) => withConfirmed(pending, attempt(codeAt(secret, ms), ms));
    expect(at(nowMs + pendingMs - 1).answer).to.equal(true);
    expect(() => at(nowMs + pendingMs)).to.throw(NothingToConfirm);
  });

  it('accepts a step once, and no earlier step afterwards', () => {
    const { account, secret } = enrolled();
    const first = withCode(account, attempt(codeAt(secret, nowMs)));
    expect(first.answer).to.equal(true);
    expect(withCode(first.next, attempt(codeAt(secret, nowMs))).answer).to.equal(false);
    expect(withCode(first.next, attempt(codeAt(secret, nowMs - stepMs))).answer).to.equal(false);
    const laterMs = nowMs + stepMs;
    expect(withCode(first.next, attempt(codeAt(secret, laterMs), laterMs)).answer).to.equal(true);
  });

  it('accepts a code once of eight parallel uses', () =>
    withDirectory(async directory => {
      const { account, secret } = enrolled();
      await new DirectoryAccounts(directory).save('anna', { ...account, version: 1 });
      const code = codeAt(secret, nowMs);
      const tries = Array.from({ length: 8 }, () =>
        changeAccount(new DirectoryAccounts(directory), 'anna', kept => withCode(kept, attempt(code))).catch(
          (error: unknown): Edited<boolean> => {
            if (error instanceof TooManyTries) return { next: account, answer: false };
            throw error;
          },
        ),
      );
      expect((await Promise.all(tries)).filter(({ answer }) => answer)).to.have.length(1);
    }));

  it('brings a wait after five wrong codes, even for the right one', () => {
    const { account, secret } = enrolled();
    let guessed = account;
    for (let tries = 0; tries < triesFree; tries++) {
      const { next, answer } = withCode(guessed, attempt('12345'));
      expect(answer).to.equal(false);
      guessed = next;
    }
    expect(() => withCode(guessed, attempt(codeAt(secret, nowMs)))).to.throw(TooManyTries, /in 60 s/);
    const overMs = nowMs + 60_000;
    expect(withCode(guessed, attempt(codeAt(secret, overMs), overMs)).next.wrongTries).to.deep.equal({});
  });

  it('seals the secret again with the newest key on use', () => {
    const old = generateKeyRing();
    const { account, secret } = enrolled('anna', old);
    const both = [...generateKeyRing(), ...old];
    const used = withCode(account, { ...attempt(codeAt(secret, nowMs)), keys: both }).next;
    const laterMs = nowMs + stepMs;
    const onlyNew = { ...attempt(codeAt(secret, laterMs), laterMs), keys: both.slice(0, 1) };
    expect(withCode(used, onlyNew).answer).to.equal(true);
  });
});
