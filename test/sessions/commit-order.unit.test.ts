import { expect } from 'chai';
import { SessionExists, StoreUnavailable } from '#src/sessions/errors.js';
import type { Handler } from '#src/sessions/request-session.js';
import { defaultLimits } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import { serveSessions } from '#src/sessions/sessions.js';
import { memory } from '#src/sessions/stores/memory.js';
import { reference } from '#src/sessions/strategies/reference.js';
import { type WatchedStore, watched } from './watched-store.js';
import { type Ask, buyTea, logInAnna, withServer } from './with-server.js';

const handlers: Record<string, Handler> = {
  '/login': logInAnna,
  '/buy': buyTea,
  '/logout': async context => {
    await context.end();
    return { status: 200 };
  },
  '/careless': async context => {
    void context.change(data => void Object.assign(data, { cart: ['tea'] }));
    return { status: 200 };
  },
  '/begin-and-throw-at-once': async context => {
    void context.begin('ben', {});
    throw new Error('on purpose');
  },
  '/fail-unheard': async context => {
    void context.change(() => undefined);
    await new Promise(setImmediate);
    return { status: 200 };
  },
};

/** Holds the next calls of one method until it is released. */
function hold(store: WatchedStore, call: Parameters<WatchedStore['before']>[0]) {
  const waiting: (() => void)[] = [];
  let enter: () => void = () => undefined;
  const entered = new Promise<void>(resolve => {
    enter = resolve;
  });
  store.before(call, () => {
    enter();
    return new Promise<void>(resolve => waiting.push(resolve));
  });
  const release = () => {
    store.before(call, async () => undefined);
    for (const go of waiting) go();
  };
  return { entered, release };
}

describe('commits before headers are sent', () => {
  let errors: unknown[];
  beforeEach(() => {
    errors = [];
  });

  async function serving(work: (ask: Ask, store: WatchedStore) => Promise<void>): Promise<void> {
    const inner: SessionStore = memory.open({ url: undefined, deadlineMs: 100, now: Date.now });
    const store = watched(inner);
    const unused = { feed: undefined, keys: () => [] };
    const strategy = reference.open({ store, ...unused, limits: defaultLimits, now: Date.now });
    const sessions = serveSessions({
      strategy,
      ready: inner.ready,
      onError: error => errors.push(error),
    });
    try {
      await withServer(sessions, handlers, ask => work(ask, store));
    } finally {
      await sessions.close();
    }
  }

  const loggedIn = async (ask: Ask) => (await ask('/login')).cookie ?? expect.fail('no cookie');

  for (const [what, path, call] of [
    ['a new session', '/login', 'create'],
    ['the end of the previous session', '/login', 'remove'],
    ['a change', '/buy', 'replace'],
    ['a change that the handler did not wait for', '/careless', 'replace'],
    ['a logout', '/logout', 'remove'],
    ['a session that a failing handler began', '/begin-and-throw-at-once', 'create'],
  ] as const) {
    it(`${what}: sends no response before the store is done`, () =>
      serving(async (ask, store) => {
        const cookie = await loggedIn(ask);
        const held = hold(store, call);
        let answered = false;
        const answer = ask(path, { cookie }).finally(() => {
          answered = true;
        });
        await held.entered;
        // A response that was sent too early would arrive before the answers to these requests.
        for (const _ of [1, 2, 3]) await ask('/');
        expect(answered).to.equal(false);
        held.release();
        expect((await answer).status).to.be.oneOf([200, 201, 500]);
      }));
  }

  it('sets the cookie of a session that a failing handler began without waiting', () =>
    serving(async ask => {
      const { status, cookie = '' } = await ask('/begin-and-throw-at-once');
      expect(status).to.equal(500);
      expect((await ask('/', { cookie })).text).to.contain('ben');
    }));

  it('keeps the old session when the store refuses a new one', () =>
    serving(async (ask, store) => {
      const cookie = await loggedIn(ask);
      store.before('create', () => Promise.reject(new StoreUnavailable('no memory left')));
      const refused = await ask('/login', { cookie });
      expect([refused.status, refused.setCookies]).to.deep.equal([503, []]);
      expect((await ask('/', { cookie })).status).to.equal(200);
    }));

  it('does not crash on a failed change that the handler ignored', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      await serving(async ask => {
        expect((await ask('/fail-unheard')).status).to.equal(200);
      });
      expect(unhandled).to.deep.equal([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  it('logs a duplicate id and does not reveal it to the visitor', () =>
    serving(async (ask, store) => {
      store.before('create', () => Promise.reject(new SessionExists()));
      const { status, text } = await ask('/login');
      expect([status, text]).to.deep.equal([500, '{"error":"the request could not be handled","why":"internal"}']);
      expect(errors.map(String)).to.deep.equal(['SessionExists: a session with this id exists already']);
    }));
});
