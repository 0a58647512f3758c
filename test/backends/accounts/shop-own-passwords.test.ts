import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { changeAccount } from '#backends/accounts/accounts.js';
import { withPending } from '#backends/accounts/second-factor.js';
import { choose, rewrite } from './shortcuts.js';
import { startTwoShops, type TwoShops } from './two-shops.js';

const chosen = 'correct horse';

describe('shop: a password of one’s own, on two backends', () => {
  let shops: TwoShops;

  before(async () => {
    shops = await startTwoShops();
  });

  after(() => shops.stop());

  it('replaces the common one, and is stored as a hash with its parameters', async () => {
    const [anna, berta] = await Promise.all(
      ['anna', 'berta'].map(async user => (await shops.member(user).logIn()).changePassword(chosen)),
    );
    const kept = await Promise.all(['anna', 'berta'].map(newest));
    for (const text of kept) {
      expect(text)
        .to.match(/"password":"\$scrypt\$ln=\d+,r=\d+,p=\d+\$[\w-]{22}\$[\w-]{43}"/)
        .and.not.to.contain(chosen);
    }
    expect(JSON.parse(kept[0] ?? '').password).not.to.equal(JSON.parse(kept[1] ?? '').password);
    expect(shops.one.output() + shops.two.output()).not.to.contain(chosen);
    const there = shops.member('anna');
    there.url = shops.two.url;
    expect((await there.tryLogin('secret')).status).to.equal(401);
    expect((await there.tryLogin(chosen)).status).to.equal(200);
    expect(await Promise.all([anna?.isIn(), berta?.isIn()])).to.deep.equal([true, true]);
  });

  for (const [others, stay] of [
    ['keep', true],
    ['end', false],
  ] as const) {
    it(`gives a fresh token; with others: ${others} the other sessions ${stay ? 'stay' : 'are ended'}`, async () => {
      const user = `others-${others}`;
      const anna = await shops.member(user).logIn();
      const other = Object.assign(shops.member(user), { url: shops.two.url });
      await other.logIn();
      const nonce = await anna.nonce();
      const former = anna.copy(shops.two.url);
      const answer = await anna.post('/account/password', { nonce, password: chosen, others });
      expect(answer.json).to.deep.equal({ ended: stay ? 0 : 1 });
      expect(await Promise.all([anna, former, other].map(one => one.isIn()))).to.deep.equal([true, false, stay]);
    });
  }

  it('is refused without a fresh nonce, when it is unfit, and without the field others', async () => {
    const anna = await shops.member('carla').logIn();
    const nonce = await anna.nonce();
    for (const [content, status] of [
      [{ nonce: 'x', password: chosen, others: 'end' }, 403],
      [{ nonce, password: 'short', others: 'end' }, 400],
      [{ nonce, password: 'x'.repeat(129), others: 'end' }, 400],
      [{ nonce, password: chosen, others: 'maybe' }, 400],
      [{ nonce, password: chosen }, 400],
    ] as const) {
      expect((await anna.post('/account/password', content)).status).to.equal(status);
    }
    expect((await anna.post('/account/password', { nonce, password: chosen, others: 'end' })).status).to.equal(200);
  });

  it('makes unknown browsers wait after five wrong tries, even with the right one, but not its owner', async () => {
    const owner = await choose(shops.accounts, await shops.member('guessed').logIn(), chosen);
    const thief = shops.member('guessed');
    for (let tries = 1; tries <= 5; tries++) {
      thief.url = tries % 2 === 0 ? shops.one.url : shops.two.url;
      expect((await thief.tryLogin('guess')).json).to.deep.equal({
        error: 'wrong name or password',
        why: 'wrong-login',
      });
    }
    const locked = await thief.tryLogin(chosen);
    expect([locked.status, locked.json.why]).to.deep.equal([429, 'too-many-tries']);
    expect(Number(locked.headers.get('retry-after'))).to.be.within(50, 60);
    expect(await owner.isIn()).to.equal(true);
    await owner.nonce();
    await owner.post('/logout');
    owner.url = shops.two.url;
    await owner.logIn();
    await endWait('guessed');
    expect((await thief.tryLogin('guess')).status).to.equal(401);
    expect(Number((await thief.tryLogin(chosen)).headers.get('retry-after'))).to.be.within(110, 120);
    await endWait('guessed');
    expect((await thief.tryLogin(chosen)).status).to.equal(200);
    expect(await shops.accounts.read('guessed')).to.deep.include({ wrongTries: {} });
  });

  it('makes unknown browsers wait after five wrong tries for the common password too', async () => {
    const owner = await shops.member('default').logIn();
    const thief = shops.member('default');
    const statuses = [];
    for (let tries = 1; tries <= 7; tries++) statuses.push((await thief.tryLogin('guess')).status);
    expect(statuses).to.deep.equal([401, 401, 401, 401, 401, 429, 429]);
    expect((await thief.tryLogin('secret')).status).to.equal(429);
    await owner.post('/logout');
    await owner.logIn();
  });

  it('makes an address wait after a hundred wrong passwords of many users, but no known browser there', async () => {
    const there = { 'x-real-ip': '192.0.2.9' };
    const owner = await shops.member('sprayed').logIn();
    const tryFrom = async (user: string, password: string) =>
      (await shops.member(user).post('/login', { user, password }, there)).status;
    const users = Array.from({ length: 100 }, (_, number) => `sprayed-${number}`);
    expect(new Set(await Promise.all(users.map(user => tryFrom(user, 'guess'))))).to.deep.equal(new Set([401]));
    expect(await tryFrom('sprayed', 'secret')).to.equal(429);
    expect((await owner.post('/login', { user: 'sprayed', password: 'secret' }, there)).status).to.equal(200);
    await shops.member('sprayed-1').logIn();
  });

  it('counts each known browser of a user apart, for each address', async () => {
    const owner = await choose(shops.accounts, shops.member('known'), chosen);
    const other = owner.copy(shops.two.url);
    for (const browser of [owner, other]) await browser.logIn();
    await other.post('/logout');
    for (let tries = 1; tries <= 5; tries++) expect((await other.tryLogin('guess')).status).to.equal(401);
    expect((await other.tryLogin(chosen)).status).to.equal(429);
    await owner.nonce();
    const elsewhere = { 'x-real-ip': '192.0.2.7' };
    expect((await other.post('/login', { user: 'known', password: chosen }, elsewhere)).status).to.equal(200);
    await Object.assign(shops.member('known'), { password: chosen }).logIn();
  });

  it('lets a thief of the session block no re-authentication of its owner', async () => {
    const owner = await choose(shops.accounts, shops.member('robbed'), chosen);
    await owner.logIn();
    const sessionOnly = owner.copy();
    sessionOnly.cookies.delete('known-browser');
    const everything = owner.copy();
    for (const [thief, headers] of [
      [sessionOnly, {}],
      [everything, { 'x-real-ip': '192.0.2.8' }],
    ] as const) {
      const guess = () => thief.post('/account/reauthenticate', { password: 'guess' }, headers);
      for (let tries = 1; tries <= 5; tries++) expect((await guess()).status).to.equal(401);
      expect((await guess()).status).to.equal(429);
    }
    await owner.nonce();
  });

  it('counts a browser that another user is known in as unknown', async () => {
    const owner = await shops.member('first-owner').logIn();
    const berta = await choose(shops.accounts, shops.member('unknown'), chosen);
    berta.cookies.set('known-browser', owner.cookies.get('known-browser') ?? '');
    expect((await berta.tryLogin('guess')).status).to.equal(401);
    expect(Object.keys((await shops.accounts.read('unknown')).wrongTries)).to.deep.equal(['unknown']);
  });

  it('of the administrator allows five parallel guesses at most', async () => {
    const guesses = Array.from({ length: 24 }, (_, index) => {
      const thief = shops.member('admin');
      thief.url = index % 2 === 0 ? shops.one.url : shops.two.url;
      return thief.tryLogin(`guess ${index}`);
    });
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    expect(statuses.filter(status => status === 401).length, statuses.join()).to.be.within(1, 5);
    expect(statuses.filter(status => status === 200)).to.have.length(0);
    await rewrite(shops.accounts, 'admin', { wrongTries: {} });
    await shops.administrator().logIn();
  });

  it('ends a login that waits for its code, when it is changed', async () => {
    const anna = await shops.member('waiting').logIn();
    const nonce = await anna.nonce();
    const context = { user: 'waiting', keys: shops.keys, nowMs: Date.now() };
    await changeAccount(shops.accounts, 'waiting', account => {
      const totp = withPending(account, context, 'A'.repeat(32)).pendingTotp;
      return { next: { ...account, totp }, answer: undefined };
    });
    const waiting = shops.member('waiting');
    expect((await waiting.tryLogin()).status).to.equal(202);
    expect((await anna.post('/account/sessions/end-others', { nonce })).status).to.equal(200);
    expect((await waiting.post('/login/totp', { code: '123456' })).json.why).to.equal('wrong-login');
  });

  /** Imitates the time that the client must wait. */
  async function endWait(user: string): Promise<void> {
    const { wrongTries } = await shops.accounts.read(user);
    const over = Object.entries(wrongTries).map(([name, { count }]) => [name, { count, waitUntilMs: Date.now() - 1 }]);
    await rewrite(shops.accounts, user, { wrongTries: Object.fromEntries(over) });
  }

  async function newest(user: string): Promise<string> {
    const folder = path.join(shops.directory, user);
    const versions = (await readdir(folder)).map(Number);
    return readFile(path.join(folder, String(Math.max(...versions))), 'utf8');
  }
});
