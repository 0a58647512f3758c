import { createServer, type RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import express from 'express';
import fastify from 'fastify';
import { expressSessions } from '#src/sessions/app/express.js';
import { fastifySessions } from '#src/sessions/app/fastify.js';
import { type AppSession, type Sessions, sessions } from '#src/sessions/index.js';
import { newSessionId } from '#src/sessions/session.js';
import { gateStore } from './gate-store.js';
import { type AskApp, withListener } from './with-app.js';

/** The routes of one small app, in the words of each adapter. */
interface Route {
  readonly path: string;
  /** Returns the body, as a stream or as text. */
  act(session: AppSession): Promise<string | Readable>;
}

const routes: readonly Route[] = [
  { path: '/show', act: async ({ user, data }) => JSON.stringify({ user: user ?? null, data }) },
  {
    path: '/add',
    act: async session => JSON.stringify(await session.change(data => (data.cart = ['tea']))),
  },
  {
    path: '/careless',
    act: async session => {
      session.change(data => (data.cart = ['rope']));
      return 'done';
    },
  },
  {
    path: '/stream',
    act: async session => {
      session.change(data => (data.cart = ['lamp']));
      return Readable.from(['do', 'ne']);
    },
  },
  {
    path: '/login',
    act: async session => {
      await session.login('anna', undefined, { remember: true });
      return String(session.user);
    },
  },
];

type Serve = (kept: Sessions, work: (ask: AskApp) => Promise<void>) => Promise<void>;

const adapters: Readonly<Record<string, Serve>> = {
  'node:http': (kept, work) =>
    withListener(
      kept.listener(async (request, response, session) => {
        const body = await routes.find(({ path }) => path === request.url)?.act(session);
        if (body instanceof Readable) body.pipe(response);
        else response.end(body);
      }),
      work,
    ),
  express: (kept, work) => {
    const app = express();
    app.set('env', 'test');
    app.use(expressSessions(kept));
    for (const { path, act } of routes) {
      app.get(path, async ({ session }, response) => {
        response.cookie('other', '1');
        const body = await act(session);
        if (body instanceof Readable) body.pipe(response);
        else response.send(body);
      });
    }
    return withListener(app, work);
  },
  fastify: async (kept, work) => {
    let listener: RequestListener = () => undefined;
    const serverFactory = (handler: RequestListener) => {
      listener = handler;
      return createServer(handler);
    };
    const app = fastify({ serverFactory });
    await app.register(fastifySessions(kept));
    for (const { path, act } of routes) {
      app.get(path, async ({ session }, reply) => {
        reply.header('set-cookie', 'other=1');
        return reply.type('text/plain').send(await act(session));
      });
    }
    await app.ready();
    await withListener((request, response) => listener(request, response), work);
    await app.close();
  },
};

for (const [name, serve] of Object.entries(adapters)) {
  describe(`sessions with ${name}`, () => {
    let kept: Sessions;
    let gated: ReturnType<typeof gateStore>;

    beforeEach(async () => {
      gated = gateStore('replace');
      kept = await sessions({ store: 'memory', onError: () => undefined, decorateStore: gated.decorateStore });
    });
    afterEach(() => kept.close());

    it('keep the data from request to request, and through the login', () =>
      serve(kept, async ask => {
        const added = await ask('/add');
        expect([added.status, added.text]).to.deep.equal([200, '{"cart":["tea"]}']);
        const loggedIn = await ask('/login', added.cookie);
        expect(loggedIn.text).to.equal('anna');
        const lines = loggedIn.headers.getSetCookie().filter(line => line.startsWith('session='));
        expect(lines).to.have.length(1);
        expect(lines[0]).to.contain('Max-Age=2592000');
        expect((await ask('/show', loggedIn.cookie)).text).to.equal('{"user":"anna","data":{"cart":["tea"]}}');
      }));

    for (const path of ['/careless', '/stream']) {
      it(`commit before the first byte of ${path}`, () =>
        serve(kept, async ask => {
          const { cookie } = await ask('/add');
          gated.turnOn();
          let isAnswered = false;
          const asking = ask(path, cookie).finally(() => {
            isAnswered = true;
          });
          await gated.reached;
          await ask('/show', cookie);
          expect(isAnswered).to.equal(false);
          gated.open();
          const answer = await asking;
          expect([answer.status, answer.text]).to.deep.equal([200, 'done']);
        }));

      it(`answer 503 with Retry-After instead of ${path} if the change is not committed`, () =>
        serve(kept, async ask => {
          const { cookie } = await ask('/add');
          gated.turnOn();
          const asking = ask(path, cookie);
          await gated.reached;
          gated.fail();
          const answer = await asking;
          expect([answer.status, answer.headers.get('retry-after')]).to.deep.equal([503, '1']);
          expect(answer.text).not.to.contain('done');
        }));
    }

    it('answer 503 with Retry-After if the store is unreachable when the request begins', async () => {
      await kept.close();
      await serve(kept, async ask => {
        const answer = await ask('/show', `session=${newSessionId('anna')}`);
        expect([answer.status, answer.headers.get('retry-after')]).to.deep.equal([503, '1']);
      });
    });
  });
}

describe('adapters', () => {
  for (const [name, build] of [
    ['expressSessions', expressSessions],
    ['fastifySessions', fastifySessions],
  ] as const) {
    it(`${name} refuses sessions that were not awaited, and says what to type`, () => {
      const opening: unknown = sessions({ store: 'memory' });
      expect(() => build(opening as Sessions)).to.throw(TypeError, `${name}(await sessions({ … }))`);
    });
  }
});
