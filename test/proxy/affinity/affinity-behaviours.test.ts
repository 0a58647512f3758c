import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import type { ProxyOptions } from '#src/proxy/options.js';
import { type Answer, cookieOf } from '../ask.js';
import { startToy, type Toy, withTcp, withToys } from '../toy-backend.js';
import { affinity, blindHealth, quickHealth, type TestProxy, withProxy } from '../with-proxy.js';

const three = [undefined, undefined, undefined];

/** Keeps the affinity cookie, as a browser does, and no other. */
class Browser {
  cookie: string | undefined;
  /** The number of affinity cookies that it received. */
  given = 0;

  async ask(proxy: TestProxy, path = '/'): Promise<Answer> {
    const answer = await proxy.as(this.cookie, path);
    const cookie = cookieOf(answer);
    if (cookie !== undefined) this.given += 1;
    this.cookie = cookie ?? this.cookie;
    return answer;
  }

  async name(proxy: TestProxy): Promise<string> {
    return (await this.ask(proxy)).text;
  }
}

const browsers = (count: number): Browser[] => Array.from({ length: count }, () => new Browser());

async function inTurn<T, R>(all: readonly T[], act: (each: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const each of all) results.push(await act(each));
  return results;
}

/** Returns the affinity header of each request, backend by backend, in order. */
const told = (toys: readonly Toy[]): string[] =>
  toys.flatMap(({ seen }) => seen.flatMap(({ headers }) => headers['holdfast-affinity'] ?? []));

const count = (names: readonly string[], name: string): number => names.filter(each => each === name).length;

for (const engine of Object.keys(engines)) {
  const withPool = (
    handles: Parameters<typeof withToys>[0],
    options: Partial<ProxyOptions>,
    use: (proxy: TestProxy, ...toys: Toy[]) => Promise<void>,
  ) => withToys(handles, (...toys) => withProxy(toys, { ...options, engine }, proxy => use(proxy, ...toys)));

  describe(`affinity through ${engine}`, () => {
    it('sends each browser to its own backend while requests of many are mixed', () =>
      withPool(three, {}, async proxy => {
        const all = browsers(9);
        const first = await inTurn(all, browser => browser.name(proxy));
        for (let round = 0; round < 3; round += 1) {
          expect(await Promise.all(all.map(browser => browser.name(proxy)))).to.deep.equal(first);
        }
        expect(all.map(({ given }) => given)).to.deep.equal(all.map(() => 1));
      }));

    it('spreads new browsers regardless of the bound ones', () =>
      withPool(three, {}, async proxy => {
        const busy = new Browser();
        await busy.ask(proxy);
        const names = await inTurn(browsers(9), async browser => {
          for (let i = 0; i < 4; i += 1) await busy.ask(proxy);
          return browser.name(proxy);
        });
        expect(['backend-1', 'backend-2', 'backend-3'].map(name => count(names, name))).to.deep.equal([3, 3, 3]);
      }));

    it('moves the cookie when a retry finds another backend', () =>
      withTcp(
        socket =>
          socket.on('data', data => {
            if (data.includes('GET /health')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
            else if (data.includes('GET /again')) socket.resetAndDestroy();
            else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfaulty');
          }),
        url =>
          withToys([undefined], (...toys) =>
            withProxy([{ name: 'faulty', url }, ...toys], { health: blindHealth, engine }, async proxy => {
              const browser = new Browser();
              while ((await browser.name(proxy)) !== 'faulty') browser.cookie = undefined;
              browser.given = 0;
              const moved = await browser.ask(proxy, '/again');
              expect([moved.status, moved.text, browser.given]).to.deep.equal([200, 'backend-1', 1]);
              expect(await browser.name(proxy)).to.equal('backend-1');
              expect([browser.given, told(toys)]).to.deep.equal([1, ['broken; reason=down']]);
            }),
          ),
      ));

    for (const known of [false, true]) {
      it(`returns 503 without a cookie when all backends are dead${known ? ' and known to be' : ''}, and keeps the binding`, () =>
        withPool([undefined, undefined], known ? {} : { health: blindHealth }, async (proxy, ...toys) => {
          const browser = new Browser();
          const first = await browser.name(proxy);
          await Promise.all(toys.map(toy => toy.stop()));
          if (known) for (const { name } of toys) await proxy.goes(name, 'down');
          for (const cookie of [browser.cookie, undefined, 'holdfast=garbage']) {
            const answer = await proxy.as(cookie);
            expect([answer.status, answer.headers['set-cookie']]).to.deep.equal([503, undefined]);
          }
          proxy.forget();
          const again = await startToy(first, undefined, Number(toys.find(({ name }) => name === first)?.url.port));
          try {
            if (known) await proxy.goes(first, 'ready');
            expect([await browser.name(proxy), browser.given]).to.deep.equal([first, 1]);
          } finally {
            await again.stop();
          }
        }));
    }

    it('reports a restart on the same port once per bound browser, and counts none as bound meanwhile', () =>
      withPool([undefined], {}, async (proxy, toy) => {
        const all = browsers(5);
        await inTurn(all, browser => browser.ask(proxy));
        expect(await proxy.view('backend-1')).to.include({ bound: 0 });
        await inTurn(all, browser => browser.ask(proxy));
        expect(await proxy.view('backend-1')).to.include({ bound: 5 });
        await toy?.stop();
        await proxy.goes('backend-1', 'down');
        proxy.forget();
        const next = await startToy('backend-1', undefined, Number(toy?.url.port));
        next.incarnation = 'second-boot';
        try {
          await proxy.goes('backend-1', 'ready');
          expect(await proxy.view('backend-1')).to.include({ bound: 0, incarnation: 'second-boot' });
          for (let round = 0; round < 3; round += 1) await inTurn(all, browser => browser.ask(proxy));
          expect(told([next])).to.deep.equal(all.map(() => 'broken; reason=reborn'));
          expect(await proxy.view('backend-1')).to.include({ bound: 5 });
          expect(all.map(({ given }) => given)).to.deep.equal(all.map(() => 2));
        } finally {
          await next.stop();
        }
      }));

    /*
     * The five rows of "Conformance tests" in GEP-1619, the Gateway API's proposal on session persistence
     * (https://gateway-api.sigs.k8s.io/geps/gep-1619/). Only what clients see applies: Holdfast has no routes.
     */
    describe('session persistence as GEP-1619 requires', () => {
      it('simple: sets a cookie with the first answer, and sends fifty requests with it to the same backend', () =>
        withPool(three, {}, async proxy => {
          const browser = new Browser();
          const first = await browser.name(proxy);
          const names = await inTurn(Array.from({ length: 50 }), () => browser.name(proxy));
          expect([count(names, first), browser.given]).to.deep.equal([50, 1]);
        }));

      it('lifetime "session": sets neither Expires nor Max-Age', () =>
        withPool([undefined], {}, async proxy => {
          const [line] = (await proxy.ask('/')).headers['set-cookie'] ?? [];
          expect(line).to.match(/^holdfast=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
        }));

      it('weights: spreads new browsers 7 to 3, and keeps a bound one even at weight 0', () =>
        withPool([undefined, undefined], {}, async proxy => {
          const weigh = (name: string, weight: number) => proxy.admin('PUT', `/backends/${name}`, { weight });
          await weigh('backend-1', 7);
          await weigh('backend-2', 3);
          const all = browsers(20);
          const names = await inTurn(all, browser => browser.name(proxy));
          expect(['backend-1', 'backend-2'].map(name => count(names, name))).to.deep.equal([14, 6]);
          await weigh('backend-1', 0);
          expect(await inTurn(all, browser => browser.name(proxy))).to.deep.equal(names);
          expect(count(await inTurn(browsers(5), browser => browser.name(proxy)), 'backend-1')).to.equal(0);
        }));

      // There "Permanent" means a cookie attribute. Here the proxy enforces the absolute time of every cookie.
      it('absolute time-out: ends the binding, even for a busy browser', () =>
        withPool(three, { affinity: { ...affinity, idleMs: 2000, absoluteMs: 400 } }, async (proxy, ...toys) => {
          const browser = new Browser();
          const boundMs = Date.now();
          const first = await browser.name(proxy);
          while (told(toys).length === 0) {
            const name = await browser.name(proxy);
            if (told(toys).length === 0) expect(name).to.equal(first);
          }
          expect(told(toys)).to.deep.equal(['broken; reason=expired']);
          expect(Date.now() - boundMs).to.be.at.least(400);
        }));

      it('scope: keeps separate bindings for two pools on one host', () =>
        withToys(three, (...toys) =>
          withProxy(toys, { engine, affinity: { ...affinity, pool: 'a' } }, a =>
            withProxy(toys, { engine, affinity: { ...affinity, pool: 'b' } }, async b => {
              const lines = async (proxy: TestProxy) => (await proxy.ask('/')).headers['set-cookie'] ?? [];
              await b.ask('/');
              const cookies = [...(await lines(a)), ...(await lines(b))].map(line => line.split(';')[0]).join('; ');
              expect(cookies).to.match(/^holdfast-a=\S+; holdfast-b=\S+$/);
              for (let i = 0; i < 4; i += 1) {
                const answers = [await a.as(cookies), await b.as(cookies)];
                expect(answers.map(({ text }) => text)).to.deep.equal(['backend-1', 'backend-2']);
                expect(answers.map(({ headers }) => headers['set-cookie'])).to.deep.equal([undefined, undefined]);
              }
            }),
          ),
        ));
    });
  });
}

describe('affinity: a drain with 20 bound browsers', () => {
  it('keeps them, takes no new one, and ends when they have gone idle', () =>
    withToys(three, (...toys) =>
      withProxy(toys, { affinity: { ...affinity, idleMs: 5_000 } }, async proxy => {
        const order = (name: string, state: string) => proxy.admin('PUT', `/backends/${name}`, { state });
        for (const name of ['backend-1', 'backend-3']) await order(name, 'maint');
        const all = browsers(20);
        await Promise.all(all.map(browser => browser.ask(proxy)));
        await Promise.all(all.map(browser => browser.ask(proxy)));
        for (const name of ['backend-1', 'backend-3']) await order(name, 'ready');
        await order('backend-2', 'drain');
        const others = browsers(10);
        const names = await Promise.all([...all, ...others].map(browser => browser.name(proxy)));
        expect(names.slice(0, 20)).to.deep.equal(all.map(() => 'backend-2'));
        expect(count(names.slice(20), 'backend-2')).to.equal(0);
        expect(await proxy.view('backend-2')).to.include({ state: 'draining', bound: 20, drained: false });
        expect(await proxy.event(({ kind }) => kind === 'drained')).to.include({ reason: 'empty' });
        expect(await proxy.view('backend-2')).to.include({ state: 'draining', bound: 0, drained: true, inFlight: 0 });
      }),
    )).timeout(30_000);
});

describe('affinity: two proxies with one key ring', () => {
  /** The second proxy probes once; afterwards it learns only from answers. */
  const withTwo = (toys: readonly Toy[], use: (one: TestProxy, other: TestProxy) => Promise<void>) =>
    withProxy(toys, { health: quickHealth }, one => withProxy(toys, { health: blindHealth }, other => use(one, other)));

  /** A backend that names its boot only to health checks. */
  const discreet: Parameters<typeof withToys>[0][number] = (_, response) => {
    response.removeHeader('holdfast-incarnation');
    response.end('backend-1');
  };

  for (const [tells, handle] of [
    ['in each answer', undefined],
    ['to health checks only', discreet],
  ] as const) {
    it(`keeps a binding made by the first proxy to learn of a new boot (name given ${tells})`, () =>
      withToys([handle], (...toys) =>
        withTwo(toys, async (one, other) => {
          const [toy] = toys;
          const before = new Browser();
          await before.ask(one);
          if (toy !== undefined) toy.incarnation = 'second-boot';
          await one.event(({ kind }) => kind === 'incarnation');
          const browser = new Browser();
          await browser.ask(one);
          for (let i = 0; i < 3; i += 1) for (const proxy of [other, one]) await browser.ask(proxy);
          expect([browser.given, told(toys)]).to.deep.equal([1, []]);
          // A browser bound to the previous boot is told once, and is then bound at both.
          await before.ask(one);
          for (let i = 0; i < 3; i += 1) for (const proxy of [other, one]) await before.ask(proxy);
          expect([before.given, told(toys)]).to.deep.equal([2, ['broken; reason=reborn']]);
        }),
      ));
  }

  it('keeps bindings at both proxies when a backend gives no name and they count different restarts', async () => {
    const toy = await startToy('backend-1');
    toy.incarnation = undefined;
    await withProxy([toy], { health: quickHealth }, async one => {
      const before = new Browser();
      await before.ask(one);
      await toy.stop();
      await one.goes('backend-1', 'down');
      one.forget();
      const next = await startToy('backend-1', undefined, Number(toy.url.port));
      next.incarnation = undefined;
      try {
        await one.goes('backend-1', 'ready');
        await withProxy([next], { health: quickHealth }, async other => {
          expect((await one.view('backend-1')).incarnation).to.equal('2');
          expect((await other.view('backend-1')).incarnation).to.equal('1');
          const all = [before, ...browsers(2)];
          await all[1]?.ask(one);
          await all[2]?.ask(other);
          for (let i = 0; i < 3; i += 1) {
            for (const browser of all) for (const proxy of [one, other]) await browser.ask(proxy);
          }
          expect(told([next])).to.deep.equal(['broken; reason=reborn']);
          expect(all.map(({ given }) => given)).to.deep.equal([2, 1, 1]);
        });
      } finally {
        await next.stop();
      }
    });
  });
});
