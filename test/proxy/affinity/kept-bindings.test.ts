import type { RequestListener } from 'node:http';
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import type { ProxyOptions } from '#src/proxy/options.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { type Answer, cookieOf } from '../ask.js';
import { type Toy, withToys } from '../toy-backend.js';
import { affinity, blindHealth, type TestProxy, withProxy } from '../with-proxy.js';

const policies = ['rebind', 'temporary', 'strict'] as const;
const limits = { ...defaultProxyOptions.limits, responseHeadMs: 150 };

/** Answers with its port. `/slow` gets no answer, and `/malformed` gets a malformed one. */
const moody: RequestListener = (request, response) => {
  if (request.url === '/slow') return;
  if (request.url === '/malformed') request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n');
  else response.end(String(request.socket.localPort));
};

/** Counts the backends that were asked for the path. */
const askedFor = (toys: readonly Toy[], path: string): number =>
  toys.filter(({ seen }) => seen.some(({ url }) => url === path)).length;

for (const engine of Object.keys(engines)) {
  const withThree = (options: Partial<ProxyOptions>, use: (proxy: TestProxy, ...toys: Toy[]) => Promise<void>) =>
    withToys([moody, moody, moody], (...toys) =>
      withProxy(toys, { engine, limits, health: blindHealth, ...options }, proxy => use(proxy, ...toys)),
    );

  describe(`a binding through ${engine}`, () => {
    for (const onLost of policies) {
      for (const [path, status] of [
        ['/slow', 504],
        ['/malformed', 502],
      ] as const) {
        it(`stays after ${path.slice(1)} (${onLost}): ${status}, no other backend is asked`, () =>
          withThree({ affinity: { ...affinity, onLost } }, async (proxy, ...toys) => {
            const first = await proxy.ask('/');
            const answer = await proxy.as(cookieOf(first), path);
            expect([answer.status, askedFor(toys, path)]).to.deep.equal([status, 1]);
            expect(answer.headers).to.not.have.property('set-cookie');
            await expectHome(proxy, first);
          }));
      }
    }

    it('ends a slow answer by the time of its own backend, from the start and after a reload', () =>
      withThree({}, async (proxy, ...toys) => {
        const patient = toys.map(({ name, url }) => ({ name, url, responseMs: 60_000 }));
        await proxy.reload({ backends: patient });
        const waits = proxy.ask('/slow');
        const first = await Promise.race([
          waits,
          proxy.ask('/').then(() => new Promise(next => setTimeout(next, 600))),
        ]);
        expect(first).to.equal(undefined);
        await proxy.reload({ backends: toys.map(({ name, url }) => ({ name, url, responseMs: 20 })) });
        expect((await proxy.ask('/slow')).status).to.equal(504);
        for (const toy of toys) toy.server.closeAllConnections();
        await waits;
      }));

    it('is given up when the connection breaks before the answer', () => {
      let broken = '';
      const breaksOnce: RequestListener = (request, response) => {
        const port = String(request.socket.localPort);
        if (request.url === '/cut') broken ||= port;
        if (request.url === '/cut' && broken === port) request.socket.destroy();
        else response.end(port);
      };
      return withToys([breaksOnce, breaksOnce, breaksOnce], (...toys) =>
        withProxy(toys, { engine, health: blindHealth }, async proxy => {
          const first = await proxy.ask('/');
          const moved = await proxy.as(cookieOf(first), '/cut');
          expect([moved.status, moved.headers['set-cookie']?.length, broken]).to.deep.equal([200, 1, first.text]);
          expect(moved.text).to.not.equal(first.text);
        }),
      );
    });

    it('is not there yet: a slow answer to a browser without a cookie is retried elsewhere', () =>
      withThree({}, async (proxy, ...toys) => {
        const answer = await proxy.ask('/slow');
        expect([answer.status, askedFor(toys, '/slow')]).to.deep.equal([504, 3]);
      }));
  });
}

async function expectHome(proxy: TestProxy, first: Answer): Promise<void> {
  const again = await proxy.as(cookieOf(first));
  expect([again.status, again.text]).to.deep.equal([200, first.text]);
  expect(again.headers).to.not.have.property('set-cookie');
}
