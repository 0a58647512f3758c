import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { preLoginMs, preLoginToken } from '#backends/routes/authentication.js';
import { formatKeyRing, generateKeyRing } from '#src/shared/key-ring.js';
import { until } from '../visitor.js';
import { Authenticator, enrol } from './authenticator.js';
import { choose, rewrite } from './shortcuts.js';
import { startTwoShops, type TwoShops } from './two-shops.js';

describe('shop: the second factor, on two backends', () => {
  let shops: TwoShops;

  before(async () => {
    shops = await startTwoShops();
  });

  after(() => shops.stop());

  const unusedSteps = (user: string) => rewrite(shops.accounts, user, { lastStep: 0 });

  it('needs a fresh password and a first code; the secret is shown once and stored sealed', async () => {
    const anna = await shops.member('anna').logIn();
    const refused = await anna.post('/account/totp', { nonce: 'x'.repeat(43) });
    expect([refused.status, refused.json.why]).to.deep.equal([403, 'fresh-authentication-needed']);
    const begun = await anna.post('/account/totp', { nonce: await anna.nonce() });
    expect(begun.status).to.equal(201);
    const uri = new URL(String(begun.json.uri));
    expect(decodeURIComponent(uri.pathname)).to.equal('/Holdfast shop:anna');
    expect(uri.searchParams.get('issuer')).to.equal('Holdfast shop');
    for (const [name, usual] of [
      ['algorithm', 'SHA1'],
      ['digits', '6'],
      ['period', '30'],
    ] as const) {
      expect(uri.searchParams.get(name) ?? usual, name).to.equal(usual);
    }
    expect(begun.json.picture).to.match(/^data:image\/svg\+xml;base64,/);
    const app = Authenticator.fromUri(begun.json.uri);
    expect((await anna.get('/account')).json).to.include({ totp: false });
    const wrong = await anna.post('/account/totp/confirm', { code: app.wrongCode(), others: 'keep' });
    expect([wrong.status, wrong.json.why]).to.deep.equal([401, 'wrong-code']);
    expect((await anna.get('/account')).json).to.include({ totp: false });
    const right = await anna.post('/account/totp/confirm', { code: app.code(), others: 'keep' });
    expect(right.json).to.deep.equal({ totp: true, ended: 0 });
    const answers = await Promise.all(['/account', '/account/sessions', '/me', '/stats'].map(at => anna.get(at)));
    expect(answers[0]?.json).to.include({ totp: true });
    const told = answers.map(({ json }) => JSON.stringify(json)).join();
    const kept = await everythingIn(path.join(shops.directory, 'anna'));
    const said = shops.one.output() + shops.two.output();
    for (const text of [told, kept, said]) {
      expect(text).not.to.contain(app.secret);
      expect(text.toLowerCase()).not.to.contain(app.secret.toLowerCase());
    }
    expect(kept).to.match(/"totp":"v1\.[\w-]+\.[\w-]+"/);
  });

  it('gives a fresh token, and invalidates the old one on the other backend at once', async () => {
    const anna = await shops.member('fresh').logIn();
    const begun = await anna.post('/account/totp', { nonce: await anna.nonce() });
    const former = anna.copy(shops.two.url);
    expect(await former.isIn()).to.equal(true);
    const code = Authenticator.fromUri(begun.json.uri).code();
    expect((await anna.post('/account/totp/confirm', { code, others: 'keep' })).status).to.equal(200);
    expect(await former.isIn()).to.equal(false);
    expect(await anna.isIn()).to.equal(true);
  });

  it('is asked for after the password; the cookie in between opens nothing and is good once', async () => {
    const owner = await shops.member('between').logIn();
    const app = await enrol(owner);
    const anna = shops.member('between');
    const first = await anna.tryLogin();
    expect([first.status, first.json]).to.deep.equal([202, { next: 'totp' }]);
    expect(first.setCookies).to.have.length(1);
    expect(first.setCookies[0]).to.match(/^pre-login=[^;]+; Max-Age=300; Path=\/; HttpOnly; SameSite=Strict$/);
    const preLogin = anna.cookies.get('pre-login') ?? '';
    anna.cookies.set('session', preLogin);
    for (const attempt of [
      anna.get('/account'),
      anna.get('/cart'),
      anna.get('/account/sessions'),
      anna.post('/cart', { sku: 'tea' }),
      anna.post('/account/reauthenticate', { password: 'secret' }),
      anna.post('/account/totp/remove', { nonce: '', others: 'keep' }),
      anna.post('/logout-everywhere', { nonce: '' }),
    ]) {
      expect((await attempt).status).to.equal(401);
    }
    anna.cookies.delete('session');
    expect(await owner.isIn()).to.equal(true);
    anna.url = shops.two.url;
    const thief = anna.copy(shops.one.url);
    const second = await anna.post('/login/totp', { code: app.code() });
    expect([second.status, second.json]).to.deep.equal([200, { user: 'between' }]);
    expect(anna.cookies.has('pre-login')).to.equal(false);
    expect(anna.token).not.to.equal(preLogin);
    expect(await anna.isIn()).to.equal(true);
    await unusedSteps('between');
    const again = await thief.post('/login/totp', { code: app.code() });
    expect([again.status, again.json.why]).to.deep.equal([401, 'wrong-login']);
    expect(thief.cookies.has('session')).to.equal(false);
  });

  it('accepts no code without a password in the last five minutes', async () => {
    const app = await enrol(await shops.member('late').logIn());
    const account = await shops.accounts.read('late');
    const madeMs = Date.now() - preLoginMs;
    for (const token of [undefined, 'nonsense', preLoginToken(shops.keys, 'late', account, madeMs)]) {
      const anna = shops.member('late');
      if (token !== undefined) anna.cookies.set('pre-login', token);
      expect((await anna.post('/login/totp', { code: app.code() })).status).to.equal(401);
      expect(anna.cookies.has('session')).to.equal(false);
    }
    const anna = shops.member('late');
    anna.cookies.set('pre-login', preLoginToken(shops.keys, 'late', account, madeMs + 10_000));
    expect((await anna.post('/login/totp', { code: app.code() })).status).to.equal(200);
  });

  it('accepts a code once of many parallel uses on both backends', async () => {
    const app = await enrol(await shops.member('once').logIn());
    const browsers = await Promise.all(
      Array.from({ length: 6 }, async (_, index) => {
        const browser = shops.member('once');
        browser.url = index % 2 === 0 ? shops.one.url : shops.two.url;
        expect((await browser.tryLogin()).status).to.equal(202);
        return browser;
      }),
    );
    const code = app.code();
    const answers = await Promise.all(browsers.map(browser => browser.post('/login/totp', { code })));
    const statuses = answers.map(({ status }) => status);
    expect(
      statuses.filter(status => status === 200),
      statuses.join(),
    ).to.have.length(1);
    expect(browsers.filter(({ cookies }) => cookies.has('session'))).to.have.length(1);
    const late = shops.member('once');
    expect((await late.tryLogin()).status).to.equal(202);
    expect((await late.post('/login/totp', { code })).json.why).to.be.oneOf(['wrong-code', 'too-many-tries']);
  });

  it('accepts the code of the previous step, but not one of the next step', async () => {
    const app = await enrol(await shops.member('clock').logIn());
    // The code of the previous step must still be of the previous step when it arrives.
    await until(async () => Date.now() % 30_000 < 27_000);
    for (const [steps, status] of [
      [-1, 200],
      [0, 200],
      [-2, 401],
      [1, 401],
    ] as const) {
      await unusedSteps('clock');
      const anna = shops.member('clock');
      expect((await anna.tryLogin()).status).to.equal(202);
      expect((await anna.post('/login/totp', { code: app.code(steps) })).status, String(steps)).to.equal(status);
    }
  });

  it('makes unknown browsers wait after five wrong codes on both backends, but not a known one', async () => {
    const owner = await shops.member('guessed').logIn();
    const app = await enrol(owner);
    const thief = shops.member('guessed');
    expect((await thief.tryLogin()).status).to.equal(202);
    for (let tries = 1; tries <= 5; tries++) {
      thief.url = tries % 2 === 0 ? shops.one.url : shops.two.url;
      expect((await thief.post('/login/totp', { code: app.wrongCode() })).json.why).to.equal('wrong-code');
    }
    for (const { url } of [shops.one, shops.two]) {
      thief.url = url;
      const { status, json, headers } = await thief.post('/login/totp', { code: app.code() });
      expect([status, json.why]).to.deep.equal([429, 'too-many-tries']);
      expect(Number(headers.get('retry-after'))).to.be.within(50, 60);
    }
    await owner.post('/logout');
    await owner.logInWith(app.code());
    await rewrite(shops.accounts, 'guessed', { lastStep: 0, wrongTries: {} });
    await shops.member('guessed').logInWith(app.code());
  });

  it('counts wrong passwords and wrong codes together: the right password resets nothing', async () => {
    const owner = await choose(shops.accounts, await shops.member('both').logIn(), 'correct horse');
    const app = await enrol(owner);
    const thief = shops.member('both');
    thief.password = owner.password;
    for (let tries = 1; tries <= 5; tries++) {
      expect((await thief.tryLogin()).status).to.equal(202);
      expect((await thief.post('/login/totp', { code: app.wrongCode() })).json.why).to.equal('wrong-code');
    }
    expect((await thief.tryLogin()).status).to.equal(429);
  });

  it('is required for a re-authentication, and turned off only after one', async () => {
    const anna = await shops.member('off').logIn();
    const app = await enrol(anna);
    const half = await anna.post('/account/reauthenticate', { password: 'secret' });
    expect([half.status, half.json.why]).to.deep.equal([401, 'wrong-code']);
    const without = await anna.post('/account/totp/remove', { nonce: '', others: 'keep' });
    expect(without.status).to.equal(403);
    const nonce = await anna.nonce(app.code());
    const off = await anna.post('/account/totp/remove', { nonce, others: 'keep' });
    expect(off.json).to.deep.equal({ totp: false, ended: 0 });
    await shops.member('off').logIn();
  });

  for (const [others, stay] of [
    ['keep', true],
    ['end', false],
  ] as const) {
    it(`turned on and off with others: ${others}, the other sessions ${stay ? 'stay' : 'are ended'}`, async () => {
      const user = `mfa-${others}`;
      const anna = await shops.member(user).logIn();
      const elsewhere = async () => Object.assign(shops.member(user), { url: shops.two.url }).logIn();
      const first = await elsewhere();
      const { json } = await anna.post('/account/totp', { nonce: await anna.nonce() });
      const app = Authenticator.fromUri(json.uri);
      const on = await anna.post('/account/totp/confirm', { code: app.code(), others });
      expect(on.json).to.deep.equal({ totp: true, ended: stay ? 0 : 1 });
      expect(await Promise.all([anna.isIn(), first.isIn()])).to.deep.equal([true, stay]);
      await unusedSteps(user);
      const second = await Object.assign(shops.member(user), { url: shops.two.url }).logInWith(app.code());
      await unusedSteps(user);
      const off = await anna.post('/account/totp/remove', { nonce: await anna.nonce(app.code()), others });
      expect(off.json).to.deep.equal({ totp: false, ended: stay ? 0 : 1 });
      expect(await Promise.all([anna.isIn(), second.isIn()])).to.deep.equal([true, stay]);
    });
  }

  it('survives the removal of the key that sealed it', async () => {
    const app = await enrol(await shops.member('rotated').logIn());
    const young = generateKeyRing();
    const ring = async (keys: typeof young) => {
      await writeFile(shops.secretsFile, formatKeyRing(keys));
      const ids = keys.map(({ id }) => id);
      for (const shop of [shops.one, shops.two]) {
        shop.signal('SIGHUP');
        const stats = shops.member('nobody');
        stats.url = shop.url;
        await until(async () => JSON.stringify((await stats.get('/stats')).json.keys) === JSON.stringify(ids));
      }
    };
    await ring([...young, ...shops.keys]);
    await shops.member('rotated').logInWith(app.code());
    await ring(young);
    await unusedSteps('rotated');
    await shops.member('rotated').logInWith(app.code());
    await ring(shops.keys);
    await unusedSteps('rotated');
    const lost = shops.member('rotated');
    expect((await lost.tryLogin()).status).to.equal(202);
    const { status, json } = await lost.post('/login/totp', { code: app.code() });
    expect([status, json.why]).to.deep.equal([503, 'secret-unreadable']);
  });
});

async function everythingIn(folder: string): Promise<string> {
  const names = await readdir(folder);
  return (await Promise.all(names.map(name => readFile(path.join(folder, name), 'utf8')))).join('\n');
}
