import type { RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { type AppListener, HeadSent, sessions } from '#src/sessions/index.js';
import { expectRejection } from '../expect-rejection.js';
import { gateStore } from './gate-store.js';
import { withApp, withListener } from './with-app.js';

const start: AppListener = async (_request, response, session) => {
  await session.change(data => (data.n = 1));
  response.end();
};

/** Changes the session without waiting for it, and replies at once in this way. */
const replyAtOnce =
  (reply: AppListener): AppListener =>
  (request, response, session) => {
    session.change(data => (data.n = 2));
    return reply(request, response, session);
  };

const long = 'x'.repeat(100_000);

/** The ways in which a reply may begin. */
const replies: Readonly<Record<string, AppListener>> = {
  end: (_request, response) => response.end('done'),
  'writeHead and end': (_request, response) => response.writeHead(200, { etag: '"1"' }).end('done'),
  'writeHead with a reason and a list of headers': (_request, response) =>
    response.writeHead(200, 'Fine', ['set-cookie', 'a=1', 'set-cookie', 'b=2']).end('done'),
  'writeHead twice, as compression does': (_request, response) => {
    response.writeHead(200, { etag: '"1"' });
    if (!response.headersSent) response.writeHead(200);
    response.end('done');
  },
  'flushHeaders and write': (_request, response) => {
    response.flushHeaders();
    response.write('do');
    response.end('ne');
  },
  'a stream': (_request, response) => void Readable.from([long, long, 'done']).pipe(response),
};

describe('head of a response', () => {
  for (const [what, reply] of Object.entries(replies)) {
    it(`waits for a change that the handler did not await: ${what}`, async () => {
      const { decorateStore, reached, open, turnOn } = gateStore('replace');
      await withApp(
        { '/start': start, '/reply': replyAtOnce(reply) },
        async ({ ask }) => {
          const { cookie } = await ask('/start');
          turnOn();
          let isAnswered = false;
          const asking = ask('/reply', cookie).finally(() => {
            isAnswered = true;
          });
          await reached;
          expect((await ask('/', cookie)).text, 'not committed yet').to.contain('"n":1');
          expect(isAnswered).to.equal(false);
          open();
          const answer = await asking;
          expect(answer.status).to.equal(200);
          expect(answer.text.endsWith('done')).to.equal(true);
          expect((await ask('/', cookie)).text).to.contain('"n":2');
        },
        { decorateStore },
      );
    });

    it(`is a 503 with Retry-After when the change fails: ${what}`, async () => {
      const { decorateStore, reached, fail, turnOn } = gateStore('replace');
      await withApp(
        { '/start': start, '/reply': replyAtOnce(reply) },
        async ({ ask, app }) => {
          const { cookie } = await ask('/start');
          turnOn();
          const asking = ask('/reply', cookie);
          await reached;
          fail();
          const answer = await asking;
          expect([answer.status, answer.headers.get('retry-after')]).to.deep.equal([503, '1']);
          expect(JSON.parse(answer.text).why).to.equal('store-unavailable');
          expect(answer.headers.get('etag')).to.equal(null);
          expect(answer.cookie).to.equal('');
          expect(app.counts.StoreUnavailable).to.equal(1);
        },
        { decorateStore },
      );
    });

    it(`has the cookie of a new session: ${what}`, () =>
      withApp({ '/reply': replyAtOnce(reply) }, async ({ ask }) => {
        const answer = await ask('/reply');
        expect(answer.headers.getSetCookie().filter(line => line.startsWith('session-visitor='))).to.have.length(1);
        expect(answer.headers.get('cache-control')).to.equal('no-store');
      }));
  }

  it('keeps the cookies and headers of the app', () =>
    withApp(
      { '/reply': replyAtOnce(replies['writeHead with a reason and a list of headers'] ?? start) },
      async ({ ask }) => {
        const cookies = (await ask('/reply')).headers.getSetCookie();
        expect(cookies.map(line => line.split('=')[0])).to.deep.equal(['a', 'b', 'session-visitor']);
      },
    ));

  it('is a 503 when a change failed that the handler never looked at', async () => {
    const { decorateStore, fail, turnOn } = gateStore('replace');
    const replyLater: AppListener = async (_request, response, session) => {
      session.change(data => (data.n = 2));
      fail();
      await session.change(data => data).catch(() => undefined);
      response.end('done');
    };
    await withApp(
      { '/start': start, '/reply': replyLater },
      async ({ ask }) => {
        const { cookie } = await ask('/start');
        turnOn();
        expect((await ask('/reply', cookie)).status).to.equal(503);
      },
      { decorateStore },
    );
  });

  it('is what the handler says when it handled the failure itself', async () => {
    const { decorateStore, fail, turnOn } = gateStore('replace');
    const handle: AppListener = async (_request, response, session) => {
      fail();
      await session.change(data => (data.n = 2)).catch(() => undefined);
      response.end('sorry');
    };
    await withApp(
      { '/start': start, '/reply': handle },
      async ({ ask }) => {
        const { cookie } = await ask('/start');
        turnOn();
        expect((await ask('/reply', cookie)).text).to.equal('sorry');
      },
      { decorateStore },
    );
  });

  it('is final: a later change is refused, and the error says so', async () => {
    const errors: unknown[] = [];
    let refused: Promise<Error> | undefined;
    const late: AppListener = (_request, response, session) => {
      response.write('begun');
      refused = expectRejection(
        session.change(data => (data.n = 1)),
        HeadSent,
      );
      session.logout();
      response.end();
    };
    await withApp(
      { '/reply': late },
      async ({ ask }) => {
        expect((await ask('/reply')).text).to.equal('begun');
        expect((await refused)?.message).to.contain('before the first byte');
        expect(errors).to.have.length(2);
      },
      { onError: error => void errors.push(error) },
    );
  });

  it('lets a stream go on behind a middleware that takes the listeners of drain, as compression does', async () => {
    const { decorateStore, open, turnOn } = gateStore('create');
    const app = await sessions({ store: 'memory', decorateStore });
    const compressed: RequestListener = async (request, response) => {
      const on: (...args: never[]) => unknown = response.on;
      const divert = (...args: unknown[]) => (args[0] === 'drain' ? response : Reflect.apply(on, response, args));
      Object.assign(response, { on: divert });
      const session = await app.open(request, response);
      session.change(data => (data.n = 1));
      // Each part is small, so the response itself never needs to drain.
      Readable.from(['do', 'ne']).once('pause', open).pipe(response);
    };
    await withListener(compressed, async ask => {
      turnOn();
      expect((await ask('/')).text).to.equal('done');
    });
    await app.close();
  });

  it('may be sent before the session is opened: the session can be read, and every change is refused', async () => {
    const errors: unknown[] = [];
    const app = await sessions({ store: 'memory', onError: error => void errors.push(error) });
    const late: RequestListener = async (request, response) => {
      response.write('begun ');
      const session = await app.open(request, response);
      await expectRejection(session.login('anna'), HeadSent);
      response.end(String(session.user));
    };
    await withListener(late, async ask => expect((await ask('/')).text).to.equal('begun undefined'));
    expect(errors).to.have.length(1);
    await app.close();
  });

  it('lets a shared cache keep no page of a session, unless the app says how', () =>
    withApp(
      {
        '/start': start,
        '/own': (_request, response) => response.setHeader('cache-control', 'private').end(),
      },
      async ({ ask }) => {
        const { cookie } = await ask('/start');
        expect((await ask('/', cookie)).headers.get('cache-control')).to.equal('no-store');
        expect((await ask('/own', cookie)).headers.get('cache-control')).to.equal('private');
        expect((await ask('/')).headers.get('cache-control')).to.equal(null);
      },
    ));
});
