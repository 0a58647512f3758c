import { expect } from 'chai';
import { freshAccount } from '#backends/accounts/accounts.js';
import { FreshAuthenticationNeeded } from '#backends/refusal.js';
import {
  findNonce,
  keepNonce,
  newNonce,
  nonceMs,
  openPreLogin,
  preLoginCookie,
  preLoginMs,
  preLoginToken,
  withNonceSpent,
} from '#backends/routes/authentication.js';
import { seal } from '#src/sessions/seal.js';
import type { SessionData } from '#src/sessions/session.js';
import { generateKeyRing } from '#src/shared/key-ring.js';

const nowMs = 1_800_000_000_000;
const keys = generateKeyRing();
const account = { ...freshAccount, epoch: 3, lastStep: 41 };

describe('pre-login token', () => {
  const token = preLoginToken(keys, 'anna', account, nowMs);

  it('opens for five minutes', () => {
    expect(openPreLogin(keys, token, nowMs + preLoginMs - 1)?.user).to.equal('anna');
    expect(openPreLogin(keys, token, nowMs + preLoginMs)).to.equal(undefined);
  });

  it('is valid until a code is accepted, the password changes or the account is disabled; wrong codes do not end it', () => {
    const opened = openPreLogin(keys, token, nowMs);
    expect(
      opened?.holdsFor({ ...account, version: 9, wrongTries: { unknown: { count: 4, waitUntilMs: nowMs } } }),
    ).to.equal(true);
    expect(opened?.holdsFor({ ...account, lastStep: 42 })).to.equal(false);
    expect(opened?.holdsFor({ ...account, epoch: 4 })).to.equal(false);
  });

  for (const [what, given] of [
    ['nothing', undefined],
    ['an empty one', ''],
    ['one that is cut off', token.slice(0, -1)],
    ['one of another key', preLoginToken(generateKeyRing(), 'anna', account, nowMs)],
    ['what is sealed for another purpose', seal(keys, 'totp', JSON.stringify(['anna', 3, 41, nowMs + 1000]))],
  ] as const) {
    it(`rejects ${what}`, () => {
      expect(openPreLogin(keys, given, nowMs)).to.equal(undefined);
    });
  }

  it('has its own cookie, with the __Host- prefix over TLS', () => {
    expect(preLoginCookie.set('t', false)).to.equal('pre-login=t; Max-Age=300; Path=/; HttpOnly; SameSite=Strict');
    expect(preLoginCookie.set('t', true)).to.equal(
      '__Host-pre-login=t; Max-Age=300; Path=/; HttpOnly; Secure; SameSite=Strict',
    );
    expect(preLoginCookie.clear(true)).to.match(/^__Host-pre-login=; Max-Age=0; .*Secure/);
    expect(preLoginCookie.read('session=s; pre-login=t', false)).to.equal('t');
    expect(preLoginCookie.read('session=s; pre-login=t', true)).to.equal(undefined);
    expect(preLoginCookie.read('pre-login=t; pre-login=u', false)).to.equal(undefined);
  });
});

describe('nonce', () => {
  const given = newNonce(nowMs, account);
  const holding = (): SessionData => {
    const data: SessionData = { cart: [] };
    keepNonce(data, given);
    return data;
  };

  it('is stored in the session as a hash only', () => {
    expect(JSON.stringify(holding())).not.to.contain(given.nonce);
  });

  it('is good once, even with an old copy of the session, and invalidates earlier ones', () => {
    const order = findNonce(holding(), given.nonce, nowMs);
    const spent = withNonceSpent(account, order);
    for (const late of [order, order - 1])
      expect(() => withNonceSpent(spent, late)).to.throw(FreshAuthenticationNeeded);
    expect(withNonceSpent(spent, order + 1).nonceSpentUntilMs).to.equal(order + 1);
  });

  it('is good after a backend with a clock an hour ahead spent one, and still for five minutes only', () => {
    const ahead = withNonceSpent(account, nowMs + 3_600_000);
    const data: SessionData = {};
    const { nonce, untilMs, order } = newNonce(nowMs, ahead);
    keepNonce(data, { nonce, untilMs, order });
    const spent = withNonceSpent(ahead, findNonce(data, nonce, nowMs));
    expect(() => withNonceSpent(spent, findNonce(data, nonce, nowMs))).to.throw(FreshAuthenticationNeeded);
    expect(() => findNonce(data, nonce, nowMs + nonceMs)).to.throw(FreshAuthenticationNeeded);
  });

  it('is good for five minutes', () => {
    expect(findNonce(holding(), given.nonce, nowMs + nonceMs - 1)).to.equal(nowMs + nonceMs);
    expect(() => findNonce(holding(), given.nonce, nowMs + nonceMs)).to.throw(FreshAuthenticationNeeded);
  });

  it('is good only in its session, and only the newest one', () => {
    const other = holding();
    keepNonce(other, newNonce(nowMs, account));
    for (const data of [{}, { nonce: null }, { nonce: given.nonce }, { nonce: [given.nonce, nowMs + 1] }, other]) {
      expect(() => findNonce(data, given.nonce, nowMs)).to.throw(FreshAuthenticationNeeded);
    }
  });
});
