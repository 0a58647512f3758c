import { expect } from 'chai';
import { nonceMs } from '#backends/routes/authentication.js';
import { redis } from '#src/sessions/stores/redis.js';
import { sessionsOpened, until } from '../visitor.js';
import type { Member } from './member.js';
import { rewrite } from './shortcuts.js';
import { startTwoShops, type TwoShops } from './two-shops.js';

const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36';
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0';

describe('shop: my sessions, on two backends', () => {
  let shops: TwoShops;

  before(async () => {
    shops = await startTwoShops();
  });

  after(() => shops.stop());

  /** Logs one user in from several browsers: the first at the first backend, the next at the second, and so on. */
  const browsers = async (user: string, count: number): Promise<Member[]> => {
    const urls = Array.from({ length: count }, (_, index) => (index % 2 === 0 ? shops.one.url : shops.two.url));
    return Promise.all(urls.map(url => Object.assign(shops.member(user), { url }).logIn()));
  };

  const whoIsIn = (members: readonly Member[]) => Promise.all(members.map(member => member.isIn()));

  it('are listed without tokens, and the present one is marked', async () => {
    const [here, there] = await pair('anna');
    const list = await here.sessions();
    expect(list).to.have.length(2);
    expect(list.filter(({ current }) => current)).to.have.length(1);
    for (const line of list) {
      expect(line).to.have.all.keys('handle', 'createdAtMs', 'idleUntilMs', 'address', 'userAgent', 'current');
      expect(line.handle).to.match(/^[0-9a-f]{16}$/);
      expect(await Object.assign(here.copy(), { cookies: new Map([['session', line.handle]]) }).isIn()).to.equal(false);
    }
    expect(JSON.stringify(list)).not.to.contain(here.token).and.not.to.contain(there.token);
  });

  it('are listed with the address and the user agent of their login, cut to their limits', async () => {
    const [here, there] = [shops.member('bella'), Object.assign(shops.member('bella'), { agent: firefox })];
    await here.post('/login', { user: 'bella', password: 'secret' }, { 'x-real-ip': '203.0.113.9' });
    const long = { 'x-real-ip': '9'.repeat(100), 'user-agent': 'x'.repeat(1_000) };
    await there.post('/login', { user: 'bella', password: 'secret' }, long);
    const listed = (await here.sessions()).map(({ address, userAgent }) => [address, userAgent]);
    expect(listed).to.have.deep.members([
      ['203.0.113.9', 'test'],
      ['9'.repeat(64), 'x'.repeat(256)],
    ]);
    expect(`${shops.one.output()}${shops.two.output()}`).not.to.match(/203\.0\.113\.9|99999|xxxxx/);
  });

  it('are ended one by one, on either backend', async () => {
    const [here, there] = await pair('berta');
    const other = (await here.sessions()).find(({ current }) => !current)?.handle;
    expect((await here.postProved('/account/sessions/end', { handle: other })).json).to.deep.equal({ ended: other });
    expect(await whoIsIn([here, there])).to.deep.equal([true, false]);
    const again = await here.postProved('/account/sessions/end', { handle: other });
    expect([again.status, again.json.why]).to.deep.equal([404, 'no-such-session']);
  });

  it('cannot be ended by another user', async () => {
    const [victim, thief] = [await shops.member('cara').logIn(), await shops.member('carl').logIn()];
    const [{ handle } = { handle: '' }] = await victim.sessions();
    for (const wanted of [handle, '*', '%2A', `${handle}%00`, handle.toUpperCase(), 'x'.repeat(4_000)]) {
      expect((await thief.postProved('/account/sessions/end', { handle: wanted })).status, wanted).to.equal(404);
    }
    expect(await whoIsIn([victim, thief])).to.deep.equal([true, true]);
  });

  it('end by their own handle, which clears the cookie too', async () => {
    const anna = await shops.member('dora').logIn();
    const [{ handle } = { handle: '' }] = await anna.sessions();
    expect((await anna.post('/account/sessions/end', { nonce: '', handle })).status).to.equal(200);
    expect(anna.cookies.has('session')).to.equal(false);
  });

  it('end at once except the present one', async () => {
    const all = await browsers('edda', 4);
    expect((await first(all).postProved('/account/sessions/end-others')).json).to.deep.equal({ ended: 3 });
    expect(await whoIsIn(all)).to.deep.equal([true, false, false, false]);
  });

  it('are not ended by a thief without the password', async () => {
    const [owner, stolen] = await pair('ella');
    const thief = stolen.copy();
    const handle = (await thief.sessions()).find(({ current }) => !current)?.handle ?? '';
    for (const [path, content] of [
      ['/account/sessions/end', { handle }],
      ['/account/sessions/end-others', {}],
      ['/logout-everywhere', {}],
    ] as const) {
      for (const nonce of ['', 'x'.repeat(43)]) {
        const { status, json } = await thief.post(path, { ...content, nonce });
        expect([status, json.why], path).to.deep.equal([403, 'fresh-authentication-needed']);
      }
    }
    expect(await whoIsIn([owner, stolen])).to.deep.equal([true, true]);
  });

  it('stay when a request is overtaken by a new token: its answer is anonymous, and leaves the cookie alone', async () => {
    const anna = await shops.member('greta').logIn();
    await anna.post('/cart', { sku: 'tea' });
    const overtaken = anna.copy(shops.two.url);
    const late = anna.copy();
    const opened = await sessionsOpened(shops.one.url);
    const inFlight = late.post('/cart?delayMs=400', { sku: 'rope' });
    await until(async () => (await sessionsOpened(shops.one.url)) > opened);
    await anna.nonce();
    for (const answer of [
      await overtaken.get('/me'),
      await overtaken.get('/cart'),
      await overtaken.post('/cart', { sku: 'rope' }),
      await inFlight,
    ]) {
      expect([answer.json.user ?? null, answer.setCookies]).to.deep.equal([null, []]);
    }
    expect((await inFlight).json.why).to.equal('session-gone');
    expect((await anna.get('/cart')).json.items).to.deep.equal([{ sku: 'tea', quantity: 1 }]);
  });

  it('end all at once; over TLS the browser must clear its data', async () => {
    const tls = { 'x-forwarded-proto': 'https' };
    const others = await browsers('fred', 2);
    const one = shops.member('fred');
    await one.post('/login', { user: 'fred', password: 'secret' }, tls);
    const { nonce } = (await one.post('/account/reauthenticate', { password: 'secret' }, tls)).json;
    const stolen = one.copy();
    const { json, headers, setCookies } = await one.post('/logout-everywhere', { nonce }, tls);
    expect(json).to.deep.equal({ ended: 3 });
    expect(headers.get('clear-site-data')).to.equal('"cache", "storage"');
    expect(headers.get('cache-control')).to.equal('no-store');
    expect(setCookies).to.deep.equal(['__Host-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax']);
    expect((await stolen.get('/me', tls)).json.user).to.equal(null);
    expect(await whoIsIn(others)).to.deep.equal([false, false]);
  });

  it('a logout invalidates the token on the other backend', async () => {
    const [here, there] = await pair('gina');
    const thief = here.copy(shops.two.url);
    expect((await here.post('/logout')).headers.get('clear-site-data')).to.equal(null);
    expect(await whoIsIn([thief, there])).to.deep.equal([false, true]);
  });

  it('a login ends the previous session, and adopts no planted token', async () => {
    const planted = await shops.member('mallory').logIn();
    const victim = shops.member('hans');
    victim.cookies.set('session', planted.token);
    await victim.logIn();
    expect(victim.token).not.to.equal(planted.token);
    expect(await planted.isIn()).to.equal(false);
    victim.cookies.set('session', 'A'.repeat(43));
    await victim.logIn();
    expect(victim.token).not.to.equal('A'.repeat(43));
  });

  describe('the nonce of a re-authentication', () => {
    const endOthers = { password: 'correct horse', others: 'keep' };
    const change = (member: Member, nonce: string) => member.post('/account/password', { nonce, ...endOthers });

    it('comes with a fresh token; the old one is invalid on the other backend', async () => {
      const anna = await shops.member('ida').logIn();
      const former = anna.copy(shops.two.url);
      await anna.nonce();
      expect(await whoIsIn([anna, former])).to.deep.equal([true, false]);
      expect((await anna.get('/account')).json.authenticatedAtMs).to.be.closeTo(Date.now(), 10_000);
    });

    it('is good once, even for parallel uses on two backends', async () => {
      const anna = await shops.member('jana').logIn();
      const nonce = await anna.nonce();
      const other = anna.copy(shops.two.url);
      const answers = await Promise.all([anna, other].map(one => one.post('/account/totp', { nonce })));
      const statuses = answers.map(({ status }) => status).sort();
      // The later request is refused, or its token is invalid already.
      expect([...statuses]).to.be.deep.oneOf([
        [201, 401],
        [201, 403],
      ]);
      const winner = answers[0]?.status === 201 ? anna : other;
      expect((await winner.post('/account/totp', { nonce })).json.why).to.equal('fresh-authentication-needed');
    });

    it('is good only in its own session', async () => {
      const [here, there] = await pair('kira');
      const stranger = await shops.member('karl').logIn();
      const nonce = await here.nonce();
      await there.nonce();
      await stranger.nonce();
      for (const thief of [there, stranger]) expect((await change(thief, nonce)).status).to.equal(403);
    });

    it('is good for five minutes', async () => {
      const anna = await shops.member('lena').logIn();
      const nonce = await anna.nonce();
      await age(anna.token, nonceMs);
      const late = await change(anna, nonce);
      expect([late.status, late.json.why]).to.deep.equal([403, 'fresh-authentication-needed']);
      expect(await anna.isIn()).to.equal(true);
    });

    it('needs the right password: five wrong ones bring a wait, and end no session', async () => {
      const anna = await shops.member('mona').logIn();
      for (let tries = 1; tries <= 5; tries++) {
        const { status, json } = await anna.post('/account/reauthenticate', { password: 'wrong' });
        expect([status, json.why]).to.deep.equal([401, 'wrong-login']);
      }
      expect((await anna.post('/account/reauthenticate', { password: 'secret' })).status).to.equal(429);
      expect(await anna.isIn()).to.equal(true);
      await shops.member('mona').logIn();
      await rewrite(shops.accounts, 'mona', { wrongTries: {} });
      await anna.nonce();
    });

    /** Moves the authentication into the past, by changing the record in Redis. */
    async function age(token: string, ms: number): Promise<void> {
      const store = redis.open({ url: shops.redis.url, deadlineMs: 1_000, now: Date.now });
      try {
        await store.ready(2_000);
        const record = (await store.read(token)) ?? expect.fail('no such session');
        const [digest, untilMs] = Array.isArray(record.data.nonce) ? record.data.nonce : [];
        const data = { ...record.data, nonce: [digest ?? '', Number(untilMs) - ms] };
        expect(await store.replace(token, { ...record, data, version: record.version + 1 })).to.equal('saved');
      } finally {
        await store.close();
      }
    }
  });

  describe('in another browser', () => {
    it('asks for the password again, and then belongs to that browser', async () => {
      const anna = shops.member('nora');
      anna.agent = chrome;
      await anna.logIn();
      const moved = anna.copy(shops.two.url);
      moved.agent = firefox;
      for (const attempt of [moved.get('/me'), moved.get('/cart'), moved.post('/account/sessions/end-others')]) {
        const { status, json, setCookies } = await attempt;
        expect([status, json.why, setCookies]).to.deep.equal([401, 'browser-changed', []]);
      }
      expect(await anna.isIn()).to.equal(true);
      expect((await moved.post('/account/reauthenticate', { password: 'wrong' })).status).to.equal(401);
      await moved.nonce();
      expect(await moved.isIn()).to.equal(true);
      expect(await anna.isIn()).to.equal(false);
      const back = moved.copy();
      back.agent = chrome;
      expect((await back.get('/me')).json.why).to.equal('browser-changed');
    });

    it('accepts an updated browser, and another browser can still log out', async () => {
      const anna = shops.member('olga');
      anna.agent = chrome;
      await anna.logIn();
      anna.agent = chrome.replace('126', '127');
      expect(await anna.isIn()).to.equal(true);
      anna.agent = firefox;
      expect((await anna.post('/logout')).status).to.equal(200);
    });
  });

  describe('from another site', () => {
    const unsafe: readonly (readonly [string, string])[] = [
      ['POST', '/login'],
      ['POST', '/login/totp'],
      ['POST', '/logout'],
      ['POST', '/logout-everywhere'],
      ['POST', '/account/sessions/end-others'],
      ['POST', '/account/sessions/end'],
      ['POST', '/account/reauthenticate'],
      ['POST', '/account/password'],
      ['POST', '/account/totp'],
      ['POST', '/account/totp/confirm'],
      ['POST', '/account/totp/remove'],
      ['POST', '/admin/disable'],
      ['POST', '/admin/enable'],
      ['POST', '/admin/delete'],
      ['POST', '/admin/end-sessions'],
      ['POST', '/admin/end-everyone'],
    ];

    it('refuses every change, and logs no user in', async () => {
      const anna = await shops.member('paula').logIn();
      for (const [method, path] of unsafe) {
        for (const headers of [
          { origin: 'https://evil.example' },
          { origin: 'null' },
          { 'sec-fetch-site': 'cross-site' },
        ]) {
          const content = method === 'POST' ? { user: 'mallory', password: 'secret' } : undefined;
          const { status, json, setCookies } = await anna.send(method, path, content, headers);
          expect([status, json.why, setCookies], `${method} ${path}`).to.deep.equal([403, 'cross-site', []]);
        }
        if (method === 'POST') {
          const form = { 'content-type': 'text/plain' };
          expect((await anna.send(method, path, { user: 'mallory' }, form)).status, path).to.equal(415);
        }
        if (path !== '/account/totp') expect((await anna.get(path)).status, path).to.equal(405);
      }
      expect(await anna.isIn()).to.equal(true);
    });

    it('forbids storing any answer', async () => {
      const anna = await shops.member('quinn').logIn();
      const answers = [
        await anna.get('/account'),
        await anna.get('/account/sessions'),
        await anna.get('/me'),
        await anna.post('/account/reauthenticate', { password: 'secret' }),
        await anna.post('/account/totp', { nonce: await anna.nonce() }),
        await anna.post('/account/totp', { nonce: 'x' }),
        await anna.post('/login', { user: 'quinn', password: 'wrong' }),
        await anna.get('/stats'),
      ];
      for (const { headers } of answers) expect(headers.get('cache-control')).to.equal('no-store');
    });
  });

  async function pair(user: string): Promise<readonly [Member, Member]> {
    const [here, there] = await browsers(user, 2);
    return here === undefined || there === undefined ? expect.fail('two were asked for') : [here, there];
  }
});

function first(members: readonly Member[]): Member {
  return members[0] ?? expect.fail('nobody');
}
