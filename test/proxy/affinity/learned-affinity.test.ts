import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import type { AffinityOptions, ProxyOptions } from '#src/proxy/options.js';
import { type Answer, cookieOf } from '../ask.js';
import type { Toy } from '../toy-backend.js';
import { affinity, blindHealth, type TestProxy, withPool } from '../with-proxy.js';

/** An app that keeps sessions in its memory: the cookie `sid`, or the header `x-token`. Answers with its port. */
function makeApp(): RequestListener {
  const sessions = new Set<string>();
  return ({ url = '', headers, socket }, response) => {
    const token = headers['x-token']?.toString() ?? /\bsid=([^;]*)/.exec(headers.cookie ?? '')?.[1] ?? '';
    if (url === '/login') {
      const made = randomUUID();
      sessions.add(made);
      response.setHeader('x-token', made);
      response.setHeader('set-cookie', ['theme=a, b; Expires=Wed, 21 Oct 2099 07:28:00 GMT', `sid=${made}; Path=/`]);
    }
    if (url === '/same') response.setHeader('set-cookie', `sid=${token}; Path=/`);
    if (url === '/logout') response.setHeader('set-cookie', 'sid=; Max-Age=0');
    response.end(`${socket.localPort} ${sessions.has(token)}`);
  };
}

const byCookie: AffinityOptions = { ...affinity, learnFrom: { cookie: 'sid' } };
const byHeader: AffinityOptions = { ...affinity, learnFrom: { header: 'x-token' } };
const sidOf = (answer: Answer) => `sid=${answer.headers['x-token']}`;
const reasonTold = (toys: readonly Toy[], answer: Answer) =>
  toys.find(({ url }) => answer.text.startsWith(url.port))?.seen.at(-1)?.headers['holdfast-affinity'];

for (const engine of Object.keys(engines)) {
  const withApps = (options: Partial<ProxyOptions>, use: (proxy: TestProxy, ...toys: Toy[]) => Promise<void>) =>
    withPool(
      [makeApp(), makeApp(), makeApp()],
      { engine, affinity: byCookie, health: blindHealth, ...options },
      (proxy, ...toys) => use(proxy, ...toys),
    );

  describe(`affinity learnt from the app, through ${engine}`, () => {
    it("follows the app's session cookie, adds no cookie, and passes the cookie to the app", () =>
      withApps({}, async proxy => {
        for (let user = 0; user < 6; user += 1) {
          const login = await proxy.ask('/login');
          expect(login.headers['set-cookie']).to.have.length(2);
          for (let i = 0; i < 4; i += 1) expect((await proxy.as(sidOf(login))).text).to.match(/true$/);
        }
        expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="bound"}')).to.equal(24);
        expect((await proxy.ask('/')).headers).to.not.have.property('set-cookie');
      }));

    it('follows a header of clients without cookies', () =>
      withApps({ affinity: byHeader }, async proxy => {
        for (let user = 0; user < 6; user += 1) {
          const token = String((await proxy.ask('/login')).headers['x-token']);
          for (let i = 0; i < 4; i += 1)
            expect((await proxy.ask('/', { headers: { 'x-token': token } })).text).to.match(/true$/);
        }
      }));

    it('learns the new token when the app rotates it', () =>
      withApps({}, async proxy => {
        const first = await proxy.ask('/login');
        const second = await proxy.as(sidOf(first), '/login');
        expect(second.text.split(' ')[0]).to.equal(first.text.split(' ')[0]);
        for (let i = 0; i < 4; i += 1) expect((await proxy.as(sidOf(second))).text).to.match(/true$/);
      }));

    it('binds a token that it does not know to the backend that answers, which is told `unknown`', () =>
      withApps({}, async (proxy, ...toys) => {
        const first = await proxy.as('sid=from-elsewhere');
        expect(reasonTold(toys, first)).to.equal('broken; reason=unknown');
        for (let i = 0; i < 4; i += 1) expect((await proxy.as('sid=from-elsewhere')).text).to.equal(first.text);
      }));

    it('forgets a token that the app ends', () =>
      withApps({}, async (proxy, ...toys) => {
        const login = await proxy.ask('/login');
        await proxy.as(sidOf(login), '/logout');
        expect(reasonTold(toys, await proxy.as(sidOf(login)))).to.equal('broken; reason=unknown');
      }));

    it('tells nothing to a backend that sends the same token with each answer', () =>
      withApps({}, async (proxy, ...toys) => {
        const login = await proxy.ask('/login');
        for (let i = 0; i < 3; i += 1) {
          const again = await proxy.as(sidOf(login), '/same');
          expect([again.text.endsWith('true'), reasonTold(toys, again)]).to.deep.equal([true, undefined]);
        }
      }));

    it('ends a binding after the absolute time, also when each answer sends the token again', () =>
      withApps({ affinity: { ...byCookie, absoluteMs: 300 } }, async (proxy, ...toys) => {
        const login = await proxy.ask('/login');
        const told = new Set<unknown>();
        while (!told.has('broken; reason=expired')) told.add(reasonTold(toys, await proxy.as(sidOf(login), '/same')));
        expect([...told]).to.deep.equal([undefined, 'broken; reason=expired']);
      }));

    it('returns to the own backend although the stand-in has sent the same token', () =>
      withApps({ affinity: { ...byCookie, onLost: 'temporary' } }, async (proxy, ...toys) => {
        const login = await proxy.ask('/login');
        const own = toys.find(({ url }) => login.text.startsWith(url.port))?.name;
        await proxy.admin('PUT', `/backends/${own}`, { state: 'maint' });
        const away = await proxy.as(sidOf(login), '/same');
        expect([away.text.endsWith('false'), reasonTold(toys, away)]).to.deep.equal([true, 'broken; reason=down']);
        await proxy.admin('PUT', `/backends/${own}`, { state: 'ready' });
        expect((await proxy.as(sidOf(login))).text).to.match(/true$/);
      }));

    it('finds the token that it knows behind stray copies of the cookie', () =>
      withApps({}, async proxy => {
        const login = await proxy.ask('/login');
        for (let i = 0; i < 3; i += 1)
          expect((await proxy.as(`sid=; sid=stray; ${sidOf(login)}`)).text).to.contain(login.text.split(' ')[0]);
        expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="bound"}')).to.equal(3);
      }));

    it('binds to another backend when the own one is gone, and stays there', () =>
      withApps({}, async (proxy, ...toys) => {
        const login = await proxy.ask('/login');
        const own = toys.find(({ url }) => login.text.startsWith(url.port));
        await own?.stop();
        const moved = await proxy.as(sidOf(login));
        expect([moved.status, moved.text.startsWith(own?.url.port ?? '?')]).to.deep.equal([200, false]);
        expect(reasonTold(toys, moved)).to.equal('broken; reason=down');
        for (let i = 0; i < 3; i += 1) expect((await proxy.as(sidOf(login))).text).to.equal(moved.text);
      }));

    it('keeps what it has learnt when the settings are reloaded', () =>
      withApps({}, async proxy => {
        const login = await proxy.ask('/login');
        await proxy.reload({ policy: 'random' });
        for (let i = 0; i < 6; i += 1) expect((await proxy.as(sidOf(login))).text).to.match(/true$/);
      }));

    it('prefers the backend of a binding that was idle for too long, and tells it `expired`', () =>
      withApps({ affinity: { ...byCookie, idleMs: -1 } }, async (proxy, ...toys) => {
        const login = await proxy.ask('/login');
        for (let i = 0; i < 3; i += 1) {
          const again = await proxy.as(sidOf(login));
          expect(again.text).to.match(/true$/);
          expect(reasonTold(toys, again)).to.equal('broken; reason=expired');
        }
      }));
  });
}

describe('affinity learnt from the app', () => {
  it('ignores the cookie of a proxy that sets its own', () =>
    withPool([makeApp()], { affinity: byCookie }, async proxy => {
      expect(cookieOf(await proxy.as('holdfast=x'))).to.equal(undefined);
    }));
});
