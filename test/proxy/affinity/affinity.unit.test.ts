import type { RequestListener } from 'node:http';
import { expect } from 'chai';
import { cookieOf } from '../ask.js';
import { startToy, type Toy, withToys } from '../toy-backend.js';
import { affinity, blindHealth, type TestProxy, withPool, withProxy } from '../with-proxy.js';

const three = [undefined, undefined, undefined];
const reasonTold = (toy: Toy | undefined): string | string[] | undefined =>
  toy?.seen.at(-1)?.headers['holdfast-affinity'];
const named = (toys: readonly Toy[], name: string): Toy | undefined => toys.find(toy => toy.name === name);

describe('proxy: affinity', () => {
  it('binds a browser with its first answer and keeps it there without another cookie', () =>
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

  it('sets Secure and the prefix when a trusted proxy in front says https, and only then', () =>
    withPool([undefined], { trusted: ['127.0.0.1'] }, async proxy => {
      const headers = { 'x-forwarded-proto': 'https' };
      const issued = async () => (await proxy.ask('/', { headers })).headers['set-cookie']?.[0];
      expect(await issued()).to.match(/^__Host-holdfast=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
      await proxy.reload({ trusted: [] });
      expect(await issued()).to.match(/^holdfast=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
    }));

  it('removes the affinity cookie from the request and keeps the others', () =>
    withPool([(request, response) => response.end(request.headers.cookie ?? 'none')], {}, async proxy => {
      const cookie = cookieOf(await proxy.ask('/'));
      expect((await proxy.as(cookie)).text).to.equal('none');
      expect((await proxy.as(`a=1; ${cookie}; b=2`)).text).to.equal('a=1; b=2');
    }));

  it('treats garbage, a changed and an oversize cookie as none, and does not tell the backend', () =>
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

  it('finds the valid cookie beside a stray copy', () =>
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

  it('drops an app cookie of the same name and forwards its other cookies', () => {
    const app: RequestListener = (_, response) =>
      response.setHeader('set-cookie', ['holdfast=app', 'holdfastly=1; Path=/']).end();
    return withPool([app], {}, async proxy => {
      const first = await proxy.ask('/');
      expect(first.headers['set-cookie']?.[0]).to.equal('holdfastly=1; Path=/');
      expect(first.headers['set-cookie']).to.have.length(2);
      expect((await proxy.as(cookieOf(first))).headers['set-cookie']).to.deep.equal(['holdfastly=1; Path=/']);
    });
  });

  it('replaces an expired cookie and tells the backend', () =>
    withPool(three, { affinity: { ...affinity, idleMs: 1 } }, async (proxy, ...toys) => {
      const cookie = cookieOf(await proxy.ask('/'));
      await new Promise(resolve => setTimeout(resolve, 5));
      const answer = await proxy.as(cookie);
      expect(answer.headers['set-cookie']).to.have.length(1);
      expect(reasonTold(named(toys, answer.text))).to.equal('broken; reason=expired');
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="expired"}')).to.equal(1);
    }));

  it('sends a browser whose binding has expired back to its backend, and tells that backend', () =>
    withPool(three, { affinity: { ...affinity, idleMs: 1 } }, async (proxy, ...toys) => {
      for (let i = 0; i < 3; i += 1) {
        const first = await proxy.ask('/');
        await new Promise(resolve => setTimeout(resolve, 5));
        const again = await proxy.as(cookieOf(first));
        expect(again.text).to.equal(first.text);
        expect(reasonTold(named(toys, first.text))).to.equal('broken; reason=expired');
        expect(again.headers['set-cookie']).to.have.length(1);
      }
    }));

  const notPreferred: Record<string, (proxy: TestProxy, toy: Toy | undefined) => Promise<unknown>> = {
    'is down': async (proxy, toy) => {
      await toy?.stop();
      await proxy.goes(toy?.name ?? '', 'down');
    },
    'is draining': (proxy, toy) => proxy.admin('PUT', `/backends/${toy?.name}`, { state: 'drain' }),
    'has weight 0': (proxy, toy) => proxy.admin('PUT', `/backends/${toy?.name}`, { weight: 0 }),
  };
  for (const [how, leave] of Object.entries(notPreferred)) {
    it(`sends an expired browser elsewhere when its backend ${how}`, () =>
      withPool(three, { affinity: { ...affinity, idleMs: 1 } }, async (proxy, ...toys) => {
        const first = await proxy.ask('/');
        await leave(proxy, named(toys, first.text));
        await new Promise(resolve => setTimeout(resolve, 5));
        const moved = await proxy.as(cookieOf(first));
        expect(moved.text).to.not.equal(first.text);
        expect(reasonTold(named(toys, moved.text))).to.equal('broken; reason=expired');
      }));
  }

  it('retries an expired browser elsewhere when its backend has just died', () =>
    withPool(three, { health: blindHealth, affinity: { ...affinity, idleMs: 1 } }, async (proxy, ...toys) => {
      const first = await proxy.ask('/');
      await named(toys, first.text)?.stop();
      await new Promise(resolve => setTimeout(resolve, 5));
      const moved = await proxy.as(cookieOf(first));
      expect(moved.status).to.equal(200);
      expect(reasonTold(named(toys, moved.text))).to.equal('broken; reason=expired');
    }));

  it('refreshes a cookie last seen long ago, and keeps the binding', () =>
    withPool(three, { affinity: { ...affinity, idleMs: 500 } }, async proxy => {
      const first = await proxy.ask('/');
      await new Promise(resolve => setTimeout(resolve, 60));
      const second = await proxy.as(cookieOf(first));
      expect(second.text).to.equal(first.text);
      expect(cookieOf(second)).to.be.a('string').and.not.equal(cookieOf(first));
    }));

  it('rebinds a browser of a dead backend, and tells the new backend the reason once', () =>
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

  it('does not try a backend known to be down', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const first = await proxy.ask('/');
      await named(toys, first.text)?.stop();
      await proxy.goes(first.text, 'down');
      const moved = await proxy.as(cookieOf(first));
      expect(reasonTold(named(toys, moved.text))).to.equal('broken; reason=down');
      expect(await proxy.metric('holdfast_proxy_retries_total{kind="refused"}')).to.equal(0);
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="down"}')).to.equal(1);
    }));

  it('reports a backend that left the pool as unknown', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const first = await proxy.ask('/');
      await proxy.admin('DELETE', `/backends/${first.text}`);
      const moved = await proxy.as(cookieOf(first));
      expect(moved.text).to.not.equal(first.text);
      expect(reasonTold(named(toys, moved.text))).to.equal('broken; reason=unknown');
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="unknown"}')).to.equal(1);
    }));

  it('reports a new incarnation found by the health check once, as reborn', () =>
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

  it('binds to the new incarnation when the answer is its first sign', () =>
    withPool(three, { health: blindHealth }, async (proxy, ...toys) => {
      const first = await proxy.ask('/');
      const toy = named(toys, first.text);
      if (toy !== undefined) toy.incarnation = 'second-boot';
      const again = await proxy.as(cookieOf(first));
      expect(again.text).to.equal(first.text);
      expect(again.headers['set-cookie']).to.have.length(1);
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="reborn"}')).to.equal(1);
      // That request was already at the backend; the next one carries the notice.
      for (const told of ['broken; reason=reborn', undefined]) {
        const next = await proxy.as(cookieOf(again));
        expect([next.text, next.headers['set-cookie'], reasonTold(toy)]).to.deep.equal([first.text, undefined, told]);
      }
      // The old cookie is no longer a valid binding.
      const other = await proxy.as(cookieOf(first));
      expect(reasonTold(named(toys, other.text))).to.equal('broken; reason=reborn');
    }));

  it('ignores the boot name in late answers of a process whose successor already has the port', () => {
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

  it('counts a restart on the same port as reborn when the backend does not name its boot', async () => {
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

  it('always removes the affinity header of a client', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const headers = { 'holdfast-affinity': 'broken; reason=down' };
      const answer = await proxy.ask('/', { headers });
      expect(reasonTold(named(toys, answer.text))).to.equal(undefined);
    }));

  it('accepts cookies of another proxy with the same keys in another order', () =>
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

  it('sets, reads and removes no cookie when switched off', () =>
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
    it(`"${given}" becomes "${expected}", and is unchanged without a new cookie`, () =>
      withPool([echo], {}, async proxy => {
        const path = `/${encodeURIComponent(given)}`;
        const first = await proxy.ask(path);
        expect(first.headers['cache-control']).to.equal(expected);
        const second = await proxy.as(cookieOf(first), path);
        expect(second.headers['cache-control']).to.equal(given === '' ? undefined : given);
      }));
  }
});
