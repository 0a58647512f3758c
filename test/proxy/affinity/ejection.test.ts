import type { RequestListener } from 'node:http';
import { expect } from 'chai';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { cookieOf } from '../ask.js';
import { startToy, type Toy } from '../toy-backend.js';
import { affinity, blindHealth, type TestProxy, withPool } from '../with-proxy.js';

const failing: RequestListener = (request, response) => {
  if (request.url === '/error') response.writeHead(500);
  response.end(String(request.socket.localPort));
};
const three = [failing, failing, failing];
const nameOf = (toys: readonly Toy[], port: string): string => toys.find(({ url }) => url.port === port)?.name ?? '';

/** Binds a browser and lets it cause these failures in a row. Returns its backend and its cookie. */
async function fail(proxy: TestProxy, toys: readonly Toy[], times: number) {
  const first = await proxy.ask('/');
  const cookie = cookieOf(first);
  for (let i = 0; i < times; i += 1) expect((await proxy.as(cookie, '/error')).status).to.equal(500);
  return { cookie, port: first.text, name: nameOf(toys, first.text) };
}

describe('an ejection', () => {
  for (const onLost of ['rebind', 'temporary', 'strict'] as const) {
    it(`moves no bound browser and takes no new one (${onLost})`, () =>
      withPool(three, { health: blindHealth, affinity: { ...affinity, onLost } }, async (proxy, ...toys) => {
        const { cookie, port, name } = await fail(proxy, toys, 5);
        expect(await proxy.view(name)).to.include({ state: 'ejected' });
        for (let i = 0; i < 6; i += 1) expect((await proxy.ask('/')).text).to.not.equal(port);
        const again = await proxy.as(cookie);
        expect([again.status, again.text]).to.deep.equal([200, port]);
        expect(again.headers).to.not.have.property('set-cookie');
      }));
  }

  it('does not keep a browser when the connection fails', () =>
    withPool(three, { health: blindHealth }, async (proxy, ...toys) => {
      const { cookie, port, name } = await fail(proxy, toys, 5);
      const gone = toys.find(toy => toy.name === name);
      await gone?.stop();
      const moved = await proxy.as(cookie);
      expect(moved.status).to.equal(200);
      expect(moved.text).to.not.equal(port);
      expect(moved.headers['set-cookie']).to.have.length(1);
      const back = await startToy(name, failing, Number(port));
      await back.stop();
    }));

  it('takes a backend out of use when affinity is off', () =>
    withPool(three, { health: blindHealth, affinity: undefined }, async (proxy, ...toys) => {
      for (let i = 0; i < 15; i += 1) await proxy.ask('/error');
      const views = await Promise.all(toys.map(({ name }) => proxy.view(name)));
      const ejected = views.flatMap((view, at) => (view.state === 'ejected' ? (toys[at]?.url.port ?? '') : []));
      expect(ejected).to.have.length(1);
      for (let i = 0; i < 6; i += 1) expect((await proxy.ask('/')).text).to.not.equal(ejected[0]);
    }));

  it('begins after the number of failures that was set', () =>
    withPool(
      three,
      { health: blindHealth, ejection: { ...defaultProxyOptions.ejection, after: 2 } },
      async (proxy, ...toys) => {
        const { name } = await fail(proxy, toys, 1);
        expect(await proxy.view(name)).to.include({ state: 'ready' });
        const other = await fail(proxy, toys, 2);
        expect(await proxy.view(other.name)).to.include({ state: 'ejected' });
      },
    ));

  it('lasts as long as was set', () =>
    withPool(
      three,
      { health: blindHealth, ejection: { after: 2, forMs: 60, forMsMax: 100 } },
      async (proxy, ...toys) => {
        const { name } = await fail(proxy, toys, 2);
        expect(await proxy.goes(name, 'ejected'))
          .to.have.property('reason')
          .that.matches(/takes nothing new for 6\d ms$/);
        const over = await proxy.event(event => event.kind === 'backend' && event.from === 'ejected');
        expect(over).to.include({ backend: name, to: 'ready', reason: 'its ejection is over' });
      },
    ));

  it('does not happen when it is off', () =>
    withPool(
      three,
      { health: blindHealth, ejection: { ...defaultProxyOptions.ejection, after: 0 } },
      async (proxy, ...toys) => {
        const { name } = await fail(proxy, toys, 12);
        expect(await proxy.view(name)).to.include({ state: 'ready' });
      },
    ));
});
