import { expect } from 'chai';
import { Redis } from 'ioredis';
import type { AppListener, SessionsOptions } from '#src/sessions/index.js';
import { withRedis } from '../with-redis.js';
import { withApp } from './with-app.js';

const keys = `k1:${'ab'.repeat(32)}`;
const dayMs = 86_400_000;

const handlers: Record<string, AppListener> = {
  '/add': async (_request, response, session) => {
    await session.change(data => (data.cart = ['tea']));
    response.end();
  },
  '/add-inside': async (_request, response, session) => {
    let inner: Promise<unknown> | undefined;
    await session.change(data => {
      inner ??= session.change(({ cart = [] }) => void (cart as string[]).push('rope'));
      (data.cart as string[]).push('lamp');
    });
    await inner;
    response.end();
  },
  '/login': async (_request, response, session) => {
    await session.login('anna');
    response.end();
  },
  '/remember': async (_request, response, session) => {
    await session.login('anna', undefined, { remember: true });
    response.end();
  },
  '/others': async (_request, response, session) => void response.end(String(await session.endOthers())),
  '/logout': async (_request, response, session) => {
    await session.logout();
    response.end();
  },
};

for (const strategy of ['reference', 'sealed', 'jwt'] as const) {
  describe(`sessions of an app with the strategy ${strategy}`, () => {
    it('keep a cart through the login, end the others, and end at the logout', () =>
      withApp(
        handlers,
        async ({ ask, app }) => {
          const visitor = await ask('/add');
          const one = await ask('/login', visitor.cookie);
          expect((await ask('/', one.cookie)).text).to.equal('{"user":"anna","data":{"cart":["tea"]}}');
          expect((await ask('/', visitor.cookie)).text).to.equal('{"user":null,"data":{}}');
          const two = await ask('/login');
          const others = await ask('/others', one.cookie);
          expect(others.text).to.equal('1');
          const present = others.cookie || one.cookie;
          expect((await ask('/', two.cookie)).text).to.contain('null');
          expect((await ask('/', present)).text).to.contain('anna');
          expect(await app.list('anna')).to.have.length(1);
          await ask('/logout', present);
          expect((await ask('/', present)).text).to.contain('null');
        },
        { strategy, keys },
      ));

    it('lose no change that an edit asks for', () =>
      withApp(
        handlers,
        async ({ ask }) => {
          const { cookie } = await ask('/add');
          const inside = await ask('/add-inside', cookie);
          expect((await ask('/', inside.cookie || cookie)).text).to.contain('["tea","lamp","rope"]');
        },
        { strategy, keys },
      ));

    it('remember a user for the longer limits', async () => {
      let nowMs = Date.now();
      await withApp(
        handlers,
        async ({ ask }) => {
          const short = await ask('/login');
          let { cookie, headers } = await ask('/remember');
          expect(headers.get('set-cookie')).to.contain('Max-Age=2592000; ');
          for (const days of [13, 13, 3]) {
            nowMs += days * dayMs;
            const answer = await ask('/', cookie);
            expect(answer.text, `after ${days} days more`).to.contain('anna');
            if (answer.cookie !== '') expect(answer.headers.get('set-cookie')).to.contain('Max-Age=');
            cookie = answer.cookie || cookie;
          }
          nowMs += dayMs;
          expect((await ask('/', cookie)).text).to.contain('null');
          expect((await ask('/', short.cookie)).text).to.contain('null');
        },
        { strategy, keys, now: () => nowMs },
      );
    });

    it('are those of one app only, where two apps share a Redis and keys, with a list of ended sessions each', () =>
      withRedis(async ({ url }) => {
        const base: Partial<SessionsOptions> = { store: 'redis', url, strategy, keys };
        const [shop, blog] = ['shop', 'blog'].map(name => ({ ...base, keyPrefix: name, issuer: name, audience: name }));
        await withApp(
          handlers,
          ({ ask, app }) =>
            withApp(
              handlers,
              async ({ ask: askBlog, app: blogApp }) => {
                await Promise.all([app.ready(5_000), blogApp.ready(5_000)]);
                const [inShop, inBlog] = [await ask('/login'), await askBlog('/login')];
                await app.endAll('anna');
                expect((await ask('/', inShop.cookie)).text).to.contain('null');
                expect((await askBlog('/', inBlog.cookie)).text).to.contain('anna');
                expect(await blogApp.list('anna')).to.have.length(1);
                const again = await ask('/login');
                if (strategy !== 'sealed') expect((await askBlog('/', again.cookie)).text).to.contain('null');
                const client = new Redis(url);
                const found = await client.keys('*');
                client.disconnect();
                expect(found.length).to.be.greaterThan(2);
                expect(found.filter(key => !/^(?:shop|blog):/.test(key))).to.deep.equal([]);
                const lists = found.filter(key => key.endsWith(':revoked'));
                expect(lists).to.deep.equal(strategy === 'reference' ? [] : ['shop:revoked']);
              },
              blog,
            ),
          shop,
        );
      }));
  });
}
