import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { storeWith } from '#backends/defects/stores.js';
import {
  type AppListener,
  type AppSession,
  SessionGone,
  type Sessions,
  type SessionsOptions,
} from '#src/sessions/index.js';
import { expectRejection } from '../expect-rejection.js';
import { gateStore } from './gate-store.js';
import { withApp } from './with-app.js';

const add =
  (sku: string): AppListener =>
  async (_request, response, session) => {
    await session.change(data => {
      data.cart = [...cartOf(data.cart), sku];
    });
    response.end('added');
  };

const logIn =
  (user: string): AppListener =>
  async (_request, response, session) => {
    await session.login(user);
    response.end('hello');
  };

const logOut: AppListener = async (_request, response, session) => {
  await session.logout();
  response.end('bye');
};

function cartOf(cart: unknown): readonly string[] {
  return Array.isArray(cart) ? cart : [];
}

const shop = { '/tea': add('tea'), '/rope': add('rope'), '/anna': logIn('anna'), '/ben': logIn('ben'), '/out': logOut };

describe('session of an app', () => {
  describe('in the list of sessions', () => {
    const clientsOf = async (app: Sessions) => (await app.list('anna')).map(({ client }) => client);

    it('is shown with the address of its connection and its user agent', () =>
      withApp(shop, async ({ ask, app }) => {
        await ask('/anna', undefined, { 'user-agent': 'Mozilla/5.0' });
        expect(await clientsOf(app)).to.deep.equal([{ address: '127.0.0.1', userAgent: 'Mozilla/5.0' }]);
      }));

    it('is shown with what the app says about its client, cut to 64 and 256 characters', () =>
      withApp(
        shop,
        async ({ ask, app }) => {
          await ask('/anna', undefined, { 'x-real-ip': 'a'.repeat(65), 'user-agent': 'u'.repeat(257) });
          expect(await clientsOf(app)).to.deep.equal([{ address: 'a'.repeat(64), userAgent: 'u'.repeat(256) }]);
        },
        {
          describeClient: ({ headers }) => ({
            address: String(headers['x-real-ip']),
            userAgent: headers['user-agent'],
          }),
        },
      ));

    it('is shown without a client if the app keeps none', () =>
      withApp(
        shop,
        async ({ ask, app }) => {
          await ask('/anna');
          expect(await clientsOf(app)).to.deep.equal([undefined]);
        },
        { describeClient: () => undefined },
      ));

    it('keeps no client of an anonymous visitor', async () => {
      const clients: unknown[] = [];
      const decorateStore: SessionsOptions['decorateStore'] = store =>
        storeWith(store, {
          create: (id, record) => {
            clients.push(record.client);
            return store.create(id, record);
          },
        });
      await withApp(shop, ({ ask }) => ask('/tea'), { decorateStore });
      expect(clients).to.deep.equal([undefined]);
    });
  });

  describe('before the login', () => {
    it('begins with the first change, and not earlier', () =>
      withApp(shop, async ({ ask }) => {
        expect((await ask('/')).cookie).to.equal('');
        const { cookie } = await ask('/tea');
        expect(JSON.parse((await ask('/', cookie)).text)).to.deep.equal({ user: null, data: { cart: ['tea'] } });
      }));

    it('sets no cookie for an edit that changes nothing', () =>
      withApp(
        { '/': (_request, response, session) => void session.change(() => 0).then(() => response.end()) },
        async ({ ask }) => expect((await ask('/')).cookie).to.equal(''),
      ));

    it('keeps its cart through the login, under a fresh id, and the old id is worth nothing', () =>
      withApp(shop, async ({ ask }) => {
        const before = await ask('/tea');
        const after = await ask('/anna', before.cookie);
        expect(after.cookie).to.match(/^session=[\w-]+$/);
        expect(after.cookie).not.to.equal(before.cookie);
        expect(JSON.parse((await ask('/', after.cookie)).text)).to.deep.equal({
          user: 'anna',
          data: { cart: ['tea'] },
        });
        expect(JSON.parse((await ask('/', before.cookie)).text)).to.deep.equal({ user: null, data: {} });
      }));

    it('has a cookie of its own, so that a late answer of a visitor never replaces the cookie of the login', () =>
      withApp(shop, async ({ ask }) => {
        const before = await ask('/tea');
        const { cookie } = await ask('/anna', before.cookie);
        const late = await ask('/rope', before.cookie);
        expect(late.cookie).to.match(/^session-visitor=/);
        const both = `${late.cookie}; ${cookie}`;
        expect(JSON.parse((await ask('/', both)).text)).to.deep.equal({ user: 'anna', data: { cart: ['tea'] } });
        const out = await ask('/out', both);
        expect(out.headers.getSetCookie().map(line => line.slice(0, line.indexOf(';')))).to.have.members([
          'session=',
          'session-visitor=',
        ]);
      }));

    it('does not link two visitors by the user tag of the id', () =>
      withApp(shop, async ({ ask }) => {
        const [one, two] = [await ask('/tea'), await ask('/tea')];
        expect(one.cookie.slice(-16)).not.to.equal(two.cookie.slice(-16));
      }));

    it('merges what the handler chooses at the login', () =>
      withApp(
        {
          ...shop,
          '/merge': async (_request, response, session) => {
            await session.login('anna', data => {
              data.cart = ['saved', ...cartOf(data.cart)];
            });
            response.end();
          },
        },
        async ({ ask }) => {
          const { cookie } = await ask('/merge', (await ask('/tea')).cookie);
          expect(JSON.parse((await ask('/', cookie)).text).data).to.deep.equal({ cart: ['saved', 'tea'] });
        },
      ));

    it('keeps or refuses a change that is under way during the login, and never loses an acknowledged one', async () => {
      const { decorateStore, reached, open, turnOn } = gateStore('replace');
      await withApp(
        shop,
        async ({ ask }) => {
          const { cookie } = await ask('/tea');
          turnOn();
          const late = ask('/rope', cookie);
          await reached;
          const after = await ask('/anna', cookie);
          open();
          expect((await late).status).to.equal(401);
          expect(JSON.parse((await ask('/', after.cookie)).text).data).to.deep.equal({ cart: ['tea'] });
        },
        { decorateStore },
      );
    });
  });

  describe('login', () => {
    it("does not keep another user's data", () =>
      withApp(shop, async ({ ask }) => {
        const anna = await ask('/tea', (await ask('/anna')).cookie);
        const { cookie } = await ask('/anna');
        await ask('/tea', cookie);
        const ben = await ask('/ben', cookie);
        expect(anna.status).to.equal(200);
        expect(JSON.parse((await ask('/', ben.cookie)).text)).to.deep.equal({ user: 'ben', data: {} });
      }));

    for (const [what, name] of [
      ['an empty name', ''],
      ['a name of an anonymous session', 'anonymous:x'],
      ['a name with 257 characters', 'x'.repeat(257)],
    ] as const) {
      it(`refuses ${what}`, () =>
        withApp({ '/': logIn(name) }, async ({ ask }) => {
          const answer = await ask('/');
          expect([answer.status, answer.cookie]).to.deep.equal([500, '']);
        }));
    }

    it('ends the oldest session of a user who has too many', () =>
      withApp(
        shop,
        async ({ ask, app }) => {
          const cookies: string[] = [];
          for (const _ of [1, 2, 3]) {
            cookies.push((await ask('/anna')).cookie);
            await delay(2);
          }
          const users = await Promise.all(cookies.map(async cookie => JSON.parse((await ask('/', cookie)).text).user));
          expect(users).to.deep.equal([null, 'anna', 'anna']);
          expect(await app.list('anna')).to.have.length(2);
          await ask('/anna', cookies[2]);
          expect(await app.list('anna')).to.have.length(2);
          expect(JSON.parse((await ask('/', cookies[1])).text).user).to.equal('anna');
        },
        { maxPerUser: 2 },
      ));

    it('remembers a user who wishes it: the cookie and the session outlive the browser', async () => {
      let nowMs = Date.now();
      const remember: AppListener = async (_request, response, session) => {
        await session.login('anna', undefined, { remember: true });
        response.end();
      };
      await withApp(
        { ...shop, '/remember': remember },
        async ({ ask }) => {
          const long = await ask('/remember');
          const short = await ask('/anna');
          expect(long.headers.get('set-cookie')).to.contain('Max-Age=2592000; ');
          expect(short.headers.get('set-cookie')).not.to.contain('Max-Age');
          nowMs += 13 * 86_400_000;
          expect(JSON.parse((await ask('/', long.cookie)).text).user).to.equal('anna');
          nowMs += 13 * 86_400_000;
          expect(JSON.parse((await ask('/', long.cookie)).text).user, 'a use moves the idle limit').to.equal('anna');
          expect(JSON.parse((await ask('/', short.cookie)).text).user).to.equal(null);
          nowMs += 4 * 86_400_000;
          expect(JSON.parse((await ask('/', long.cookie)).text).user, 'the absolute limit').to.equal(null);
        },
        { now: () => nowMs },
      );
    });
  });

  it('ends the other sessions of the user', () =>
    withApp(
      {
        ...shop,
        '/others': async (_request, response, session) => void response.end(String(await session.endOthers())),
      },
      async ({ ask }) => {
        const [one, two] = [await ask('/anna'), await ask('/anna')];
        const answer = await ask('/others', two.cookie);
        expect(answer.text).to.equal('1');
        expect(JSON.parse((await ask('/', one.cookie)).text).user).to.equal(null);
        expect(JSON.parse((await ask('/', answer.cookie || two.cookie)).text).user).to.equal('anna');
      },
    ));

  it('shows frozen data', () =>
    withApp(
      {
        ...shop,
        '/spoil': (_request, response, { data }) => {
          expect(() => cartOf(data.cart).concat('x') && Object.assign(data, { cart: [] })).to.throw(TypeError);
          expect(() => Array.isArray(data.cart) && data.cart.push('x')).to.throw(TypeError);
          response.end('refused');
        },
      },
      async ({ ask }) => expect((await ask('/spoil', (await ask('/tea')).cookie)).text).to.equal('refused'),
    ));

  for (const [what, misuse, message] of [
    ['a field of the session', session => Reflect.set(session, 'cart', ['tea']), 'session.change(data => {'],
    ['an edit that is no function', session => session.change(Object({ cart: ['tea'] })), 'expected a function'],
    [
      'an edit that returns new data and changes nothing',
      session => session.change(data => ({ ...data, cart: ['tea'] })),
      'what an edit returns is ignored',
    ],
  ] as const satisfies readonly (readonly [string, (session: AppSession) => unknown, string])[]) {
    it(`refuses ${what}, and says what to type`, () =>
      withApp(
        {
          ...shop,
          '/misuse': async (_request, response, session) => {
            const error = await Promise.resolve(session).then<unknown>(misuse).catch(String);
            response.end(String(error));
          },
        },
        async ({ ask }) => {
          for (const { cookie } of [await ask('/anna'), await ask('/')]) {
            expect((await ask('/misuse', cookie)).text)
              .to.match(/^TypeError: /)
              .and.contain(message);
          }
        },
      ));
  }

  it('accepts an edit that returns a part of the data and changes nothing', () =>
    withApp(
      {
        ...shop,
        '/sort': async (_request, response, session) => {
          await session.change(data => Object(data.cart));
          await session.change(data => Object.assign(data, {}));
          response.end('sorted');
        },
      },
      async ({ ask }) => expect((await ask('/sort', (await ask('/tea')).cookie)).text).to.equal('sorted'),
    ));

  it('refuses every change after the session ended under way, and begins no anonymous session', () =>
    withApp(
      {
        ...shop,
        '/twice': async (_request, response, session) => {
          await app.endAll('anna');
          const outcomes = [1, 2].map(n =>
            expectRejection(
              session.change(data => (data.n = n)),
              SessionGone,
            ),
          );
          await Promise.all(outcomes);
          response.end('gone');
        },
      },
      async ({ ask, app: running }) => {
        app = running;
        const answer = await ask('/twice', (await ask('/anna')).cookie);
        expect([answer.text, answer.cookie]).to.deep.equal(['gone', '']);
      },
    ));
});

let app: Sessions;
