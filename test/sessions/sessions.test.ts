import { expect } from 'chai';
import type { CookieOptions } from '#src/sessions/cookie.js';
import { stores } from '#src/sessions/registry.js';
import type { Handler } from '#src/sessions/request-session.js';
import { defaultLimits, newSessionId } from '#src/sessions/session.js';
import { openSessions, type Sessions } from '#src/sessions/sessions.js';
import { loaded } from './loaded.js';
import { type StoreLab, storeLabs } from './store-labs.js';
import { type Ask, withServer } from './with-server.js';

const login: Handler = async context => {
  await context.begin('anna', { cart: [] });
  return { status: 200, body: 'welcome' };
};

const buy: Handler = async context => {
  const data = await context.change(draft => void Object.assign(draft, { cart: ['tea'] }));
  return { status: 201, body: JSON.stringify(data) };
};

const logout: Handler = async context => {
  await context.end();
  return { status: 200, body: 'bye' };
};

interface Latch<T> {
  readonly promise: Promise<T>;
  readonly open: (value: T) => void;
}

function latch<T>(): Latch<T> {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>(resolve => {
    open = resolve;
  });
  return { promise, open: value => open(value) };
}

/** A handler that reports when it began, and continues when it is released. */
function gated(then: Handler): { handler: Handler; entered: Promise<void>; release: () => void } {
  const entry = latch<void>();
  const gate = latch<void>();
  const handler: Handler = async context => {
    entry.open();
    await gate.promise;
    return then(context);
  };
  return { handler, entered: entry.promise, release: gate.open };
}

const cleared = 'session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax';

for (const [store, entry] of Object.entries(await loaded(stores))) {
  describe(`sessions over HTTP on ${store}`, () => {
    let lab: StoreLab;
    let nowMs: number;
    let errors: unknown[];
    const running: Sessions[] = [];

    before(async () => {
      const startLab = storeLabs[store];
      if (startLab === undefined) throw new Error(`no lab for the store ${store}`);
      lab = await startLab();
    });
    after(() => lab.stop());
    beforeEach(() => {
      nowMs = Date.now();
      errors = [];
    });
    afterEach(async () => {
      await Promise.all(running.splice(0).map(sessions => sessions.close()));
    });

    async function opened(options: { cookie?: CookieOptions } = {}): Promise<Sessions> {
      const onError = (error: unknown) => void errors.push(error);
      const base = { strategy: 'reference', store, storeUrl: lab.url, now: () => nowMs, onError };
      const sessions = await openSessions({ ...base, ...options });
      running.push(sessions);
      expect(await sessions.ready(5_000)).to.equal(true);
      return sessions;
    }

    async function serving(work: (ask: Ask, sessions: Sessions) => Promise<void>, more: Record<string, Handler> = {}) {
      const sessions = await opened();
      await withServer(sessions, { '/login': login, '/buy': buy, '/logout': logout, ...more }, ask =>
        work(ask, sessions),
      );
    }

    async function loggedIn(ask: Ask): Promise<string> {
      const { cookie } = await ask('/login');
      return cookie ?? expect.fail('the login set no session cookie');
    }

    describe('cookie', () => {
      it('is set with its flags at login only', () =>
        serving(async ask => {
          const answer = await ask('/login');
          expect(answer.setCookies).to.have.length(1);
          expect(answer.setCookies[0]).to.match(/^session=[\w-]{59}; Path=\/; HttpOnly; SameSite=Lax$/);
          const again = await ask('/', { cookie: answer.cookie ?? '' });
          expect(again.status).to.equal(200);
          expect(again.setCookies).to.deep.equal([]);
        }));

      it('is Secure with the __Host- prefix when the proxy reports TLS', () =>
        serving(async ask => {
          const tls = { 'x-forwarded-proto': 'https' };
          const answer = await ask('/login', tls);
          const flags = /^__Host-session=[\w-]{59}; Path=\/; HttpOnly; Secure; SameSite=Lax$/;
          expect(answer.setCookies[0]).to.match(flags);
          expect((await ask('/', { ...tls, cookie: answer.cookie ?? '' })).status).to.equal(200);
          const unprefixed = (answer.cookie ?? '').replace('__Host-', '');
          expect((await ask('/', { ...tls, cookie: unprefixed })).text).to.equal('{"why":"absent"}');
        }));

      it('is worth nothing under another name: a token that was seen over plain HTTP opens no session over TLS', () =>
        serving(async ask => {
          const tls = { 'x-forwarded-proto': 'https' };
          const [plain, secure] = [await ask('/login'), await ask('/login', tls)];
          const prefixed = `__Host-${plain.cookie}`;
          expect((await ask('/', { ...tls, cookie: prefixed })).text).to.equal('{"why":"unknown"}');
          const unprefixed = (secure.cookie ?? '').replace('__Host-', '');
          expect((await ask('/', { cookie: unprefixed })).text).to.equal('{"why":"unknown"}');
          expect((await ask('/', { cookie: plain.cookie ?? '' })).status).to.equal(200);
        }));

      it('is Secure on every request when the server is configured so', async () => {
        await withServer(
          await opened({ cookie: { secure: true } }),
          { '/login': login, '/logout': logout },
          async ask => {
            const answer = await ask('/login', { 'x-forwarded-proto': 'http' });
            expect(answer.setCookies[0]).to.match(/^__Host-session=.*; Secure;/);
            const bye = await ask('/logout', { cookie: answer.cookie ?? '' });
            expect(bye.setCookies[0]).to.match(/^__Host-session=; Max-Age=0; .*Secure/);
            expect(bye.headers.get('clear-site-data')).to.equal('"cache", "storage"');
          },
        );
      });

      for (const [what, cookie, why] of [
        ['unknown', `session=${newSessionId('anna')}`, 'unknown'],
        ['malformed', 'session=hello', 'malformed'],
        ['empty', 'session=', 'malformed'],
        ['doubled', `session=${newSessionId('anna')}; session=${newSessionId('anna')}`, 'malformed'],
        ['oversized', `session=${'a'.repeat(5_000)}`, 'malformed'],
      ] as const) {
        it(`is left alone when it is ${what}`, () =>
          serving(async (ask, { counts }) => {
            const answer = await ask('/', { cookie });
            expect(answer.text).to.equal(JSON.stringify({ why }));
            expect(answer.setCookies).to.deep.equal([]);
            expect(answer.headers.get('cache-control')).to.equal('no-store');
            expect(counts).to.deep.equal({ [why]: 1 });
          }));
      }

      it('is neither set nor cleared for a visitor without one', () =>
        serving(async ask => {
          const answer = await ask('/', { cookie: 'other=1' });
          expect(answer.text).to.equal('{"why":"absent"}');
          expect(answer.setCookies).to.deep.equal([]);
          expect(answer.headers.get('cache-control')).to.equal(null);
        }));
    });

    it('sends no-store with every session, whatever the handler set', () =>
      serving(
        async ask => {
          const cookie = await loggedIn(ask);
          expect((await ask('/', { cookie })).headers.get('cache-control')).to.equal('no-store');
          const answer = await ask('/own', { cookie });
          expect(answer.headers.get('cache-control')).to.equal('no-store');
          expect(answer.setCookies).to.deep.equal(['theme=dark']);
          expect((await ask('/own')).headers.get('cache-control')).to.equal('max-age=60');
        },
        {
          '/own': async () => ({ status: 200, headers: { 'Cache-Control': 'max-age=60', 'set-cookie': 'theme=dark' } }),
        },
      ));

    describe('login', () => {
      it('does not adopt a planted id', () =>
        serving(async ask => {
          const planted = `session=${newSessionId('anna')}`;
          const answer = await ask('/login', { cookie: planted });
          expect(answer.cookie).not.to.equal(planted);
          expect((await ask('/', { cookie: planted })).status).to.equal(401);
        }));

      it('ends the previous session', () =>
        serving(async ask => {
          const before = await loggedIn(ask);
          const { cookie = '' } = await ask('/login', { cookie: before });
          expect(cookie).not.to.equal(before);
          expect((await ask('/', { cookie: before })).text).to.equal('{"why":"unknown"}');
          expect((await ask('/', { cookie })).status).to.equal(200);
        }));
    });

    describe('commit', () => {
      it('comes before the headers', () =>
        serving(async ask => {
          const cookie = await loggedIn(ask);
          expect((await ask('/buy', { cookie })).text).to.equal('{"cart":["tea"]}');
          expect((await ask('/', { cookie })).text).to.equal('{"user":"anna","data":{"cart":["tea"]}}');
        }));

      it('is waited for even if the handler does not wait', () =>
        serving(
          async ask => {
            const cookie = await loggedIn(ask);
            expect((await ask('/careless', { cookie })).status).to.equal(200);
            expect((await ask('/', { cookie })).text).to.contain('careless');
          },
          {
            '/careless': async context => {
              void context.change(data => void Object.assign(data, { careless: true }));
              return { status: 200 };
            },
          },
        ));

      it('is refused after the response', async () => {
        const late = latch<unknown>();
        await serving(
          async ask => {
            const cookie = await loggedIn(ask);
            await ask('/late', { cookie });
            expect(String(await late.promise)).to.contain('the request is over');
            expect((await ask('/', { cookie })).text).not.to.contain('late');
          },
          {
            '/late': async context => {
              setImmediate(() => context.change(data => void Object.assign(data, { late: 1 })).catch(late.open));
              return { status: 200 };
            },
          },
        );
      });
    });

    it('keeps a user logged out on every backend while a slow request is in flight', async () => {
      const slow = gated(buy);
      const handlers = { '/login': login, '/logout': logout, '/slow': slow.handler };
      const first = await opened();
      const second = entry.capabilities.durability === 'process' ? first : await opened();
      await withServer(first, handlers, async ask => {
        await withServer(second, handlers, async askOther => {
          const cookie = await loggedIn(ask);
          const inFlight = ask('/slow', { cookie });
          await slow.entered;
          const bye = await askOther('/logout', { cookie });
          expect(bye.setCookies).to.deep.equal([cleared]);
          expect(bye.headers.get('clear-site-data'), 'a browser heeds it over TLS alone').to.equal(null);
          slow.release();
          const answer = await inFlight;
          expect(answer.status).to.equal(401);
          expect(JSON.parse(answer.text)).to.deep.equal({ error: 'the session has ended', why: 'session-gone' });
          expect(answer.setCookies).to.deep.equal([]);
          for (const each of [ask, askOther]) expect((await each('/', { cookie })).text).to.equal('{"why":"unknown"}');
        });
      });
    });

    it('ends idle sessions at the idle limit and active ones at the absolute limit', () =>
      serving(async ask => {
        const [idle, active] = [await loggedIn(ask), await loggedIn(ask)];
        const absoluteUntilMs = nowMs + defaultLimits.absoluteMs;
        nowMs += defaultLimits.idleMs - 1;
        expect((await ask('/', { cookie: active })).status).to.equal(200);
        nowMs += 1;
        const over = await ask('/', { cookie: idle });
        expect([over.status, over.setCookies]).to.deep.equal([401, []]);
        for (; nowMs < absoluteUntilMs; nowMs += defaultLimits.idleMs / 2) {
          expect((await ask('/', { cookie: active })).status).to.equal(200);
        }
        nowMs = absoluteUntilMs;
        expect((await ask('/', { cookie: active })).status).to.equal(401);
      }));

    describe('failures', () => {
      const failing: Record<string, Handler> = {
        '/throw': async () => {
          throw new Error('secret detail');
        },
        '/begin-and-throw': async context => {
          await context.begin('ben', {});
          throw new Error('secret detail');
        },
        '/huge': async context => {
          await context.change(data => void Object.assign(data, { blob: 'x'.repeat(1_000_000) }));
          return { status: 200 };
        },
        '/bad-header': async () => ({ status: 200, headers: { 'x-bad': 'a\nb' } }),
        '/bad-status': async context => {
          await context.begin('ben', {});
          return { status: 42 };
        },
      };

      it('answers 500 without details, reports the error, and keeps the cookie', () =>
        serving(async ask => {
          const cookie = await loggedIn(ask);
          const answer = await ask('/throw', { cookie });
          expect(answer.status).to.equal(500);
          expect(JSON.parse(answer.text)).to.deep.equal({ error: 'the request could not be handled', why: 'internal' });
          expect(answer.setCookies).to.deep.equal([]);
          expect(errors.map(String)).to.deep.equal(['Error: secret detail']);
        }, failing));

      it('sets the cookie of a session that began before the failure', () =>
        serving(async ask => {
          for (const path of ['/begin-and-throw', '/bad-status']) {
            const answer = await ask(path);
            expect(answer.status).to.equal(500);
            expect(answer.setCookies).to.have.length(1);
            expect((await ask('/', { cookie: answer.cookie ?? '' })).text).to.contain('ben');
          }
        }, failing));

      it('answers 500 for a header that HTTP does not allow', () =>
        serving(async ask => {
          expect((await ask('/bad-header')).status).to.equal(500);
        }, failing));

      it('answers 413 for data over the limit, and 401 for a change without a session', () =>
        serving(async ask => {
          const cookie = await loggedIn(ask);
          const answer = await ask('/huge', { cookie });
          expect(answer.status).to.equal(413);
          expect(JSON.parse(answer.text).why).to.equal('session-too-large');
          expect((await ask('/', { cookie })).text).to.equal('{"user":"anna","data":{"cart":[]}}');
          expect((await ask('/buy')).status).to.equal(401);
          expect(errors).to.deep.equal([]);
        }, failing));
    });

    it('answers HEAD without a body', () =>
      serving(async ask => {
        const answer = await ask('/', { cookie: await loggedIn(ask) }, 'HEAD');
        expect([answer.status, answer.text]).to.deep.equal([200, '']);
      }));

    if (entry.capabilities.durability === 'process') return;

    describe('while the store is down', () => {
      async function expectUnavailable(ask: Ask, cookie: string, withinMs: number): Promise<void> {
        for (const path of ['/', '/login', '/buy', '/logout']) {
          const startedAt = performance.now();
          const answer = await ask(path, { cookie });
          expect(performance.now() - startedAt, path).to.be.lessThan(withinMs);
          expect(answer.status, path).to.equal(503);
          expect(answer.headers.get('retry-after')).to.equal('1');
          expect(answer.headers.get('cache-control')).to.equal('no-store');
          expect(answer.setCookies, path).to.deep.equal([]);
          expect(JSON.parse(answer.text)).to.deep.equal({
            error: 'the session store does not answer',
            why: 'store-unavailable',
          });
        }
      }

      it('returns 503 at once when the store is dead, keeps the cookie, and serves after a restart', () =>
        serving(async (ask, sessions) => {
          const cookie = await loggedIn(ask);
          await lab.server?.kill();
          try {
            await expectUnavailable(ask, cookie, 300);
            expect((await ask('/')).status, 'anonymous').to.equal(401);
            expect((await ask('/login')).setCookies).to.deep.equal([]);
            expect((await ask('/login', { cookie: 'session=hello' })).setCookies).to.deep.equal([]);
            expect(errors).to.deep.equal([]);
          } finally {
            await lab.server?.restart();
          }
          expect(await sessions.ready(5_000)).to.equal(true);
          const survives = entry.capabilities.durability === 'disk';
          const there = survives ? '{"user":"anna","data":{"cart":[]}}' : '{"why":"unknown"}';
          expect((await ask('/', { cookie })).text).to.equal(there);
          expect((await ask('/', { cookie: await loggedIn(ask) })).status).to.equal(200);
        }));

      it('returns 503 at the deadline when the store hangs, and serves the session afterwards', () =>
        serving(async (ask, sessions) => {
          const cookie = await loggedIn(ask);
          lab.server?.freeze();
          try {
            await expectUnavailable(ask, cookie, defaultLimits.storeDeadlineMs + 300);
          } finally {
            lab.server?.thaw();
          }
          expect(await sessions.ready(5_000)).to.equal(true);
          expect((await ask('/', { cookie })).text).to.equal('{"user":"anna","data":{"cart":[]}}');
        }));

      it('returns no success for a failed commit, even if the handler does not wait', async () => {
        const slow = gated(async context => {
          void context.change(data => void Object.assign(data, { careless: true }));
          return { status: 200 };
        });
        await serving(
          async (ask, sessions) => {
            const cookie = await loggedIn(ask);
            const inFlight = ask('/slow', { cookie });
            await slow.entered;
            await lab.server?.kill();
            try {
              slow.release();
              const answer = await inFlight;
              expect([answer.status, answer.setCookies]).to.deep.equal([503, []]);
            } finally {
              await lab.server?.restart();
            }
            expect(await sessions.ready(5_000)).to.equal(true);
          },
          { '/slow': slow.handler },
        );
      });
    });
  });
}

describe('openSessions', () => {
  it('names the known strategies and stores for an unknown name', async () => {
    const refused = (strategy: string, store: string) =>
      openSessions({ strategy, store, storeUrl: undefined }).then(() => 'opened', String);
    expect(await refused('referense', 'memory')).to.include(
      'unknown strategy "referense". Did you mean "reference"? Known: ',
    );
    expect(await refused('reference', 'rediss')).to.include(
      'unknown session store "rediss". Did you mean "redis"? Known: ',
    );
    expect(await refused('reference', 'constructor')).to.include('unknown session store "constructor"');
    expect(await refused('reference', 'redis')).to.include('expected an address of Redis');
  });
});
