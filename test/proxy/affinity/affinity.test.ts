import type { RequestListener } from 'node:http';
import { expect } from 'chai';
import { cookieOf } from '../ask.js';
import { startToy, type Toy, withToys } from '../toy-backend.js';
import { affinity, blindHealth, withPool, withProxy } from '../with-proxy.js';

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
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="expired"}')).to.equal(1);
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
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="unknown"}')).to.equal(1);
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
