import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { type Answer, cookieOf } from './ask.js';
import { deadUrl, startToy, type Toy, withTcp, withToys } from './toy-backend.js';
import { affinity, blindHealth, withPool, withProxy } from './with-proxy.js';

const { limits } = defaultProxyOptions;
const three = [undefined, undefined, undefined];
const reasonTold = (toy: Toy | undefined): string | string[] | undefined =>
  toy?.seen.at(-1)?.headers['holdfast-affinity'];
const named = (toys: readonly Toy[], name: string): Toy | undefined => toys.find(toy => toy.name === name);

describe('proxy: affinity', () => {
  it('binds a browser at its first answer and keeps it there, without another cookie', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      for (let browser = 0; browser < 6; browser += 1) {
        const first = await proxy.ask('/');
        const cookie = cookieOf(first);
        expect(first.headers['set-cookie']?.[0]).to.match(/; Path=\/; HttpOnly; SameSite=Lax$/);
        for (let i = 0; i < 4; i += 1) {
          const next = await proxy.as(cookie);
          expect(next.text).to.equal(first.text);
          expect(next.headers).to.not.have.property('set-cookie');
        }
      }
      expect(toys.map(toy => toy.seen.length)).to.deep.equal([10, 10, 10]);
    }));

  it('a trusted proxy in front that says https makes it Secure, with the prefix; nobody else does', () =>
    withPool([undefined], { trusted: ['127.0.0.1'] }, async proxy => {
      const headers = { 'x-forwarded-proto': 'https' };
      const issued = async () => (await proxy.ask('/', { headers })).headers['set-cookie']?.[0];
      expect(await issued()).to.match(/^__Host-holdfast=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
      await proxy.reload({ trusted: [] });
      expect(await issued()).to.match(/^holdfast=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
    }));

  it('takes the affinity cookie out of the request and leaves the others', () =>
    withPool([(request, response) => response.end(request.headers.cookie ?? 'none')], {}, async proxy => {
      const cookie = cookieOf(await proxy.ask('/'));
      expect((await proxy.as(cookie)).text).to.equal('none');
      expect((await proxy.as(`a=1; ${cookie}; b=2`)).text).to.equal('a=1; b=2');
    }));

  it('treats garbage, a changed and an oversize cookie as none: one new cookie, no word to the backend', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const cookie = cookieOf(await proxy.ask('/')) ?? '';
      const bad = ['holdfast=garbage', 'holdfast=', `${cookie.slice(0, -1)}!`, `holdfast=${'x'.repeat(9000)}`];
      for (const wrong of bad) {
        const answer = await proxy.as(wrong);
        expect(answer.status).to.equal(200);
        expect(answer.headers['set-cookie']).to.have.length(1);
        expect(reasonTold(named(toys, answer.text))).to.equal(undefined);
        expect((await proxy.as(cookieOf(answer))).headers).to.not.have.property('set-cookie');
      }
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="forged"}')).to.equal(bad.length);
    }));

  it('finds the good one beside a stray copy that the browser sends with it', () =>
    withPool(three, {}, async proxy => {
      const first = await proxy.ask('/');
      for (const cookies of [`holdfast=stray; ${cookieOf(first)}`, `${cookieOf(first)}; holdfast=stray`]) {
        for (let i = 0; i < 3; i += 1) {
          const again = await proxy.as(cookies);
          expect(again.text).to.equal(first.text);
          expect(again.headers).to.not.have.property('set-cookie');
        }
      }
      const bad = await proxy.as('holdfast=1; holdfast=2; holdfast=3; holdfast=4');
      expect(bad.headers['set-cookie']).to.have.length(1);
    }));

  it('an app that sets a cookie of the same name does not undo the binding; its other cookies pass', () => {
    const app: RequestListener = (_, response) =>
      response.setHeader('set-cookie', ['holdfast=app', 'holdfastly=1; Path=/']).end();
    return withPool([app], {}, async proxy => {
      const first = await proxy.ask('/');
      expect(first.headers['set-cookie']?.[0]).to.equal('holdfastly=1; Path=/');
      expect(first.headers['set-cookie']).to.have.length(2);
      expect((await proxy.as(cookieOf(first))).headers['set-cookie']).to.deep.equal(['holdfastly=1; Path=/']);
    });
  });

  it('an expired cookie is replaced, and the backend is told', () =>
    withPool(three, { affinity: { ...affinity, idleMs: 1 } }, async (proxy, ...toys) => {
      const cookie = cookieOf(await proxy.ask('/'));
      await new Promise(resolve => setTimeout(resolve, 5));
      const answer = await proxy.as(cookie);
      expect(answer.headers['set-cookie']).to.have.length(1);
      expect(reasonTold(named(toys, answer.text))).to.equal('broken; reason=expired');
    }));

  it('refreshes a cookie that was last seen long ago, and keeps the binding', () =>
    withPool(three, { affinity: { ...affinity, idleMs: 500 } }, async proxy => {
      const first = await proxy.ask('/');
      await new Promise(resolve => setTimeout(resolve, 60));
      const second = await proxy.as(cookieOf(first));
      expect(second.text).to.equal(first.text);
      expect(cookieOf(second)).to.be.a('string').and.not.equal(cookieOf(first));
    }));

  it('a dead backend: another one answers, with a new cookie, and is told why; once', () =>
    withPool(three, { health: blindHealth }, async (proxy, ...toys) => {
      const first = await proxy.ask('/');
      await named(toys, first.text)?.stop();
      const moved = await proxy.as(cookieOf(first), '/', { method: 'POST', body: 'hello' });
      expect(moved.status).to.equal(200);
      expect(moved.text).to.not.equal(first.text);
      expect(reasonTold(named(toys, moved.text))).to.equal('broken; reason=down');
      const after = await proxy.as(cookieOf(moved));
      expect(after.text).to.equal(moved.text);
      expect(after.headers).to.not.have.property('set-cookie');
      expect(reasonTold(named(toys, after.text))).to.equal(undefined);
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="rebound"}')).to.equal(1);
      expect(await proxy.metric('holdfast_proxy_retries_total{kind="refused"}')).to.equal(1);
    }));

  it('a backend known to be down is not tried first', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const first = await proxy.ask('/');
      await named(toys, first.text)?.stop();
      await proxy.goes(first.text, 'down');
      const moved = await proxy.as(cookieOf(first));
      expect(reasonTold(named(toys, moved.text))).to.equal('broken; reason=down');
      expect(await proxy.metric('holdfast_proxy_retries_total{kind="refused"}')).to.equal(0);
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="down"}')).to.equal(1);
    }));

  it('a backend that is no longer in the pool is unknown', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const first = await proxy.ask('/');
      await proxy.admin('DELETE', `/backends/${first.text}`);
      const moved = await proxy.as(cookieOf(first));
      expect(moved.text).to.not.equal(first.text);
      expect(reasonTold(named(toys, moved.text))).to.equal('broken; reason=unknown');
    }));

  it('tells of a new incarnation that the health check found: reborn, once', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const first = await proxy.ask('/');
      const toy = named(toys, first.text);
      if (toy !== undefined) toy.incarnation = 'second-boot';
      await proxy.event(event => event.kind === 'incarnation' && event.incarnation === 'second-boot');
      const again = await proxy.as(cookieOf(first));
      expect(again.headers['set-cookie']).to.have.length(1);
      expect(reasonTold(named(toys, again.text))).to.equal('broken; reason=reborn');
      const after = await proxy.as(cookieOf(again));
      expect(after.headers).to.not.have.property('set-cookie');
      expect(reasonTold(named(toys, after.text))).to.equal(undefined);
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="reborn"}')).to.equal(1);
    }));

  it('binds to the new incarnation when the answer is the first to tell', () =>
    withPool(three, { health: blindHealth }, async (proxy, ...toys) => {
      const first = await proxy.ask('/');
      const toy = named(toys, first.text);
      if (toy !== undefined) toy.incarnation = 'second-boot';
      const again = await proxy.as(cookieOf(first));
      expect(again.text).to.equal(first.text);
      expect(again.headers['set-cookie']).to.have.length(1);
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="reborn"}')).to.equal(1);
      // That request was there already; the next one tells.
      for (const told of ['broken; reason=reborn', undefined]) {
        const next = await proxy.as(cookieOf(again));
        expect([next.text, next.headers['set-cookie'], reasonTold(toy)]).to.deep.equal([first.text, undefined, told]);
      }
      // Whoever holds the old cookie is bound to nothing.
      const other = await proxy.as(cookieOf(first));
      expect(reasonTold(named(toys, other.text))).to.equal('broken; reason=reborn');
    }));

  it('is not led back by the last answers of a process whose successor has the port already', () => {
    let finish = (): void => {};
    const slow: RequestListener = (request, response) => {
      if (request.url !== '/slow') return void response.end();
      finish = () => response.end('old');
    };
    return withPool([slow], { health: blindHealth }, async (proxy, toy) => {
      const old = proxy.ask('/slow');
      while (toy.seen.length === 0) await new Promise(resolve => setImmediate(resolve));
      toy.incarnation = 'second-boot';
      const first = await proxy.ask('/');
      finish();
      expect((await old).headers['holdfast-incarnation']).to.equal('backend-1-boot-1');
      expect((await proxy.view('backend-1')).incarnation).to.equal('second-boot');
      expect((await proxy.as(cookieOf(first))).headers).to.not.have.property('set-cookie');
      expect(proxy.events.filter(event => event.kind === 'incarnation')).to.have.length(1);
    });
  });

  it('a restart on the same port of a backend that does not name its boot counts as reborn', async () => {
    const toy = await startToy('backend-1');
    toy.incarnation = undefined;
    await withProxy([toy], {}, async proxy => {
      const cookie = cookieOf(await proxy.ask('/'));
      await toy.stop();
      await proxy.goes('backend-1', 'down');
      const next = await startToy('backend-1', undefined, Number(toy.url.port));
      next.incarnation = undefined;
      try {
        await proxy.event(event => event.kind === 'incarnation');
        expect((await proxy.as(cookie)).headers['set-cookie']).to.have.length(1);
        expect(reasonTold(next)).to.equal('broken; reason=reborn');
      } finally {
        await next.stop();
      }
    });
  });

  it('removes what a client says about its affinity, always', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const headers = { 'holdfast-affinity': 'broken; reason=down' };
      const answer = await proxy.ask('/', { headers });
      expect(reasonTold(named(toys, answer.text))).to.equal(undefined);
    }));

  it('two proxies with one key ring agree, whatever the order of their keys', () =>
    withToys(three, (...toys) =>
      withProxy(toys, {}, async one => {
        const [first] = affinity.keys;
        const newer = { id: 'k2', secret: Buffer.alloc(32, 2) };
        const keys = first === undefined ? [] : [newer, first];
        await withProxy(toys, { affinity: { ...affinity, keys } }, async other => {
          for (let i = 0; i < 4; i += 1) {
            const bound = await one.ask('/');
            const seen = await other.as(cookieOf(bound));
            expect(seen.text).to.equal(bound.text);
            expect(seen.headers).to.not.have.property('set-cookie');
          }
        });
      }),
    ));

  it('switched off: no cookie is set, read or removed', () =>
    withPool([(request, response) => response.end(request.headers.cookie)], { affinity: undefined }, async proxy => {
      const answer = await proxy.as('holdfast=mine; a=1');
      expect(answer.text).to.equal('holdfast=mine; a=1');
      expect(answer.headers).to.not.have.any.keys('set-cookie', 'cache-control');
    }));
});

describe('proxy: Cache-Control with a new cookie', () => {
  const cases: Record<string, string | undefined> = {
    '': 'private',
    'max-age=60': 'private, max-age=60',
    'public, max-age=60, s-maxage=600': 'private, max-age=60',
    'no-cache': 'private, no-cache',
    'no-store': 'no-store',
    'max-age=9, private': 'max-age=9, private',
    'private="x-user"': 'private, private="x-user"',
  };
  const echo: RequestListener = (request, response) => {
    const given = decodeURIComponent(request.url?.slice(1) ?? '');
    if (given !== '') response.setHeader('cache-control', given);
    response.end();
  };
  for (const [given, expected] of Object.entries(cases)) {
    it(`"${given}" becomes "${expected}", and stays itself without one`, () =>
      withPool([echo], {}, async proxy => {
        const path = `/${encodeURIComponent(given)}`;
        const first = await proxy.ask(path);
        expect(first.headers['cache-control']).to.equal(expected);
        const second = await proxy.as(cookieOf(first), path);
        expect(second.headers['cache-control']).to.equal(given === '' ? undefined : given);
      }));
  }
});

describe('proxy: a lost backend, by policy', () => {
  const lose = (
    onLost: 'temporary' | 'strict',
    use: (moved: Answer, first: Answer, cookie: string | undefined) => Promise<void>,
    blind: boolean,
  ) =>
    withPool(
      three,
      { affinity: { ...affinity, onLost }, ...(blind ? { health: blindHealth } : {}) },
      async (proxy, ...toys) => {
        const first = await proxy.ask('/');
        const toy = named(toys, first.text);
        await toy?.stop();
        if (!blind) await proxy.goes(first.text, 'down');
        proxy.forget();
        await use(await proxy.as(cookieOf(first)), first, cookieOf(first));
        const back = await startToy(first.text, undefined, Number(toy?.url.port));
        try {
          if (toy !== undefined) back.incarnation = toy.incarnation;
          if (!blind) await proxy.goes(first.text, 'ready');
          const again = await proxy.as(cookieOf(first));
          expect([again.status, again.text]).to.deep.equal([200, first.text]);
          expect(again.headers).to.not.have.property('set-cookie');
        } finally {
          await back.stop();
        }
      },
    );

  for (const blind of [true, false]) {
    const when = blind ? 'found while asking' : 'known to be down';
    it(`temporary: elsewhere now, without a new cookie, and back when it is back (${when})`, () =>
      lose(
        'temporary',
        async (moved, first) => {
          expect(moved.status).to.equal(200);
          expect(moved.text).to.not.equal(first.text);
          expect(moved.headers).to.not.have.property('set-cookie');
        },
        blind,
      ));

    it(`strict: 503 until it is back (${when})`, () =>
      lose(
        'strict',
        async moved => {
          expect(moved.status).to.equal(503);
          expect(moved.headers['retry-after']).to.equal('1');
          expect(moved.headers).to.not.have.property('set-cookie');
        },
        blind,
      ));
  }
});

describe('proxy: its own answers', () => {
  it('503 without a cookie when nobody is there', async () => {
    const urls = [await deadUrl(), await deadUrl()];
    const toys = urls.map((url, i) => ({ name: `backend-${i + 1}`, url }));
    await withProxy(toys, {}, async proxy => {
      const answer = await proxy.ask('/', { method: 'POST', body: 'x' });
      expect(answer.status).to.equal(503);
      expect(answer.headers).to.include({
        'retry-after': '1',
        'proxy-status': 'holdfast; error=destination_unavailable; outcome=not-sent',
        'content-type': 'text/plain; charset=utf-8',
      });
      expect(answer.headers).to.not.have.property('set-cookie');
      expect(await proxy.metric('holdfast_proxy_own_answers_total{status="503",outcome="not-sent"}')).to.equal(1);
    });
  });

  /** Healthy, and whatever else is asked of it ends as `onRequest` says. */
  const failing = (onRequest: (socket: Socket) => void) => (socket: Socket) =>
    void socket.once('data', data => {
      if (data.toString().startsWith('GET /health')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      else onRequest(socket);
    });

  it('502 for a POST that broke off: it may have been carried out, and no other backend gets it', () =>
    withTcp(
      failing(socket => socket.resetAndDestroy()),
      url =>
        withToys([undefined], (...toys) =>
          withProxy([{ name: 'bad', url }, ...toys], { health: blindHealth }, async proxy => {
            const answers = [1, 2].map(() => proxy.ask('/', { method: 'POST', body: 'x' }));
            const bad = (await Promise.all(answers)).find(answer => answer.status !== 200);
            expect(bad?.status).to.equal(502);
            expect(bad?.headers['proxy-status']).to.equal('holdfast; error=connection_terminated; outcome=unknown');
            expect(toys[0]?.seen.length).to.be.lessThan(2);
          }),
        ),
    ));

  it('502 for a GET that broke off everywhere', () =>
    withTcp(
      failing(socket => socket.resetAndDestroy()),
      url =>
        withProxy([{ name: 'bad', url }], { health: blindHealth }, async proxy => {
          const answer = await proxy.ask('/');
          expect(answer.status).to.equal(502);
          expect(answer.headers['proxy-status']).to.equal('holdfast; error=connection_terminated; outcome=unknown');
          expect(answer.headers).to.not.have.property('set-cookie');
        }),
    ));

  it('while a GET that broke off is answered by another one', () =>
    withTcp(
      failing(socket => socket.resetAndDestroy()),
      url =>
        withToys([undefined], (...toys) =>
          withProxy([{ name: 'bad', url }, ...toys], { health: blindHealth }, async proxy => {
            for (let i = 0; i < 4; i += 1) expect((await proxy.ask('/')).status).to.equal(200);
          }),
        ),
    ));

  it('504 when the head of the answer is late', () =>
    withTcp(
      failing(() => {}),
      url =>
        withProxy(
          [{ name: 'bad', url }],
          { limits: { ...limits, responseHeadMs: 50 }, health: blindHealth },
          async proxy => {
            const answer = await proxy.ask('/', { method: 'POST', body: 'x' });
            expect(answer.status).to.equal(504);
            expect(answer.headers['proxy-status']).to.equal('holdfast; error=http_response_timeout; outcome=unknown');
          },
        ),
    ));

  it('refuses an engine and a policy that it does not know, and leaves nothing running', async () => {
    for (const option of [{ engine: 'wira' }, { policy: 'round-robbin' }]) {
      const error = await withProxy([], option, async () => {}).catch(error => error);
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(/^unknown (engine|routing policy) .* Known: /);
    }
  });
});
