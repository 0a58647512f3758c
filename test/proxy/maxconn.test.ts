import { once } from 'node:events';
import { type ClientRequest, type RequestListener, request, type ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import type { ProxyOptions } from '#src/proxy/options.js';
import { type Answer, cookieOf } from './ask.js';
import { type Toy, withToys } from './toy-backend.js';
import { affinity, blindHealth, type TestProxy, withProxy } from './with-proxy.js';

/** Holds every request for `/held` until the test releases it, and counts how many were there at once. */
class Gate {
  readonly held: { readonly response: ServerResponse; readonly path: string }[] = [];
  /** Paths in order of arrival. */
  readonly seen: string[] = [];
  most = 0;

  readonly handle: RequestListener = (request, response) => {
    const path = request.url ?? '';
    if (!path.startsWith('/held')) return void response.end(String(request.socket.localPort));
    this.seen.push(path);
    this.held.push({ response, path });
    this.most = Math.max(this.most, this.held.length);
  };

  release(): void {
    const next = this.held.shift();
    next?.response.end(next.path);
  }
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await turn();
}

const queueLength = (proxy: TestProxy) => proxy.metric('holdfast_proxy_queue_length');
const outcomes = (proxy: TestProxy, outcome: string) =>
  proxy.metric(`holdfast_proxy_queued_requests_total{outcome="${outcome}"}`);

/** Sends a request that the test can abort. */
function open(url: string, path: string): ClientRequest {
  return request(new URL(path, url), { agent: false }).on('error', () => {});
}

for (const engine of Object.keys(engines)) {
  const withGates = (
    count: number,
    options: Partial<ProxyOptions>,
    use: (proxy: TestProxy, gates: readonly [Gate, ...Gate[]], toys: Toy[]) => Promise<void>,
  ) => {
    const gates: readonly [Gate, ...Gate[]] = [new Gate(), ...Array.from({ length: count - 1 }, () => new Gate())];
    return withToys(
      gates.map(({ handle }) => handle),
      (...toys) =>
        withProxy(toys, { engine, health: blindHealth, maxconn: 1, ...options }, async proxy => {
          try {
            await use(proxy, gates, toys);
          } finally {
            for (const gate of gates) while (gate.held.length > 0) gate.release();
          }
        }),
    );
  };

  describe(`maxconn through ${engine}`, () => {
    it('lets a backend take no more than its limit at once; the others wait and are answered in order', () =>
      withGates(1, { maxconn: 2, affinity: undefined }, async (proxy, [gate]) => {
        const answers: Promise<Answer>[] = [];
        for (let i = 0; i < 6; i += 1) {
          answers.push(proxy.ask(`/held/${i}`));
          await until(async () => gate.held.length + (await queueLength(proxy)) === i + 1);
        }
        expect(await proxy.view('backend-1')).to.include({ inFlight: 2, maxconn: 2 });
        for (let i = 0; i < 6; i += 1) {
          await until(() => gate.held.length > 0);
          gate.release();
        }
        expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal([200, 200, 200, 200, 200, 200]);
        expect(gate.seen).to.deep.equal([0, 1, 2, 3, 4, 5].map(i => `/held/${i}`));
        expect([gate.most, await outcomes(proxy, 'served')]).to.deep.equal([2, 4]);
      }));

    it('serves bound browsers first, and only by their backend', () =>
      withGates(2, {}, async (proxy, gates, toys) => {
        const [gate] = gates;
        let cookie: string | undefined;
        while (cookie === undefined) {
          const answer = await proxy.ask('/');
          if (answer.text === toys[0]?.url.port) cookie = cookieOf(answer);
        }
        const first = [proxy.ask('/held/1'), proxy.ask('/held/2')];
        await until(() => gates.every(({ held }) => held.length === 1));
        const unbound = proxy.ask('/held/unbound');
        await until(async () => (await queueLength(proxy)) === 1);
        const bound = proxy.as(cookie, '/held/bound');
        await until(async () => (await queueLength(proxy)) === 2);
        expect(await proxy.view('backend-1')).to.include({ queued: 1 });
        gate.release();
        await until(() => gate.seen.length === 2);
        expect(gate.seen[1]).to.equal('/held/bound');
        gate.release();
        expect((await bound).headers).to.not.have.property('set-cookie');
        for (const each of gates) each.release();
        await until(() => gates.some(({ seen }) => seen.includes('/held/unbound')));
        for (const each of gates) each.release();
        await Promise.all([...first, unbound]);
      }));

    it('serves an unbound request before bound ones that came much later', () =>
      withGates(1, { queue: { lengthMax: 9, timeoutMs: 4000 } }, async (proxy, [gate]) => {
        const cookie = cookieOf(await proxy.ask('/'));
        const answers = [proxy.ask('/held/first')];
        await until(() => gate.held.length === 1);
        const waitsAs = async (ask: Promise<Answer>, length: number) => {
          answers.push(ask);
          await until(async () => (await queueLength(proxy)) === length);
        };
        const sinceMs = performance.now();
        await waitsAs(proxy.ask('/held/unbound'), 1);
        await waitsAs(proxy.as(cookie, '/held/soon'), 2);
        await until(() => performance.now() - sinceMs > 1100);
        await waitsAs(proxy.as(cookie, '/held/late'), 3);
        for (let nth = 0; nth < 4; nth += 1) {
          await until(() => gate.held.length > 0);
          gate.release();
        }
        await Promise.all(answers);
        expect(gate.seen).to.deep.equal(['/held/first', '/held/soon', '/held/unbound', '/held/late']);
      }));

    it('uses a backend that is free rather than wait', () =>
      withGates(2, { affinity: undefined }, async (proxy, gates) => {
        const answers = [proxy.ask('/held/1'), proxy.ask('/held/2')];
        await until(() => gates.every(({ held }) => held.length === 1));
        gates[1]?.release();
        await answers[1];
        answers.push(proxy.ask('/held/3'), proxy.ask('/held/4'));
        await until(() => gates[1]?.held.length === 1);
        expect(gates[0].seen).to.have.length(1);
        for (let i = 0; i < 2; i += 1) {
          await until(() => gates[1]?.held.length === 1);
          gates[1]?.release();
        }
        gates[0].release();
        await Promise.all(answers);
      }));

    for (const [end, queue] of [
      ['full', { lengthMax: 1, timeoutMs: 60_000 }],
      ['timeout', { lengthMax: 9, timeoutMs: 60 }],
    ] as const) {
      it(`answers 503 with Retry-After and Proxy-Status after "${end}", and counts it`, () =>
        withGates(1, { affinity: undefined, queue }, async (proxy, [gate]) => {
          const first = proxy.ask('/held/1');
          await until(() => gate.held.length === 1);
          const waiting = end === 'full' ? proxy.ask('/held/2') : undefined;
          if (waiting !== undefined) await until(async () => (await queueLength(proxy)) === 1);
          const turnedBack = await proxy.ask('/held/3');
          expect(turnedBack.status).to.equal(503);
          expect(turnedBack.headers).to.include({
            'retry-after': '1',
            'proxy-status': `holdfast; error=connection_limit_reached; details="queue ${end}"; outcome=not-sent`,
          });
          expect(await outcomes(proxy, end)).to.equal(1);
          gate.release();
          await first;
          if (waiting === undefined) return;
          await until(() => gate.held.length === 1);
          gate.release();
          await waiting;
        }));
    }

    it('drops a request from the queue when its client leaves', () =>
      withGates(1, { affinity: undefined }, async (proxy, [gate]) => {
        const first = proxy.ask('/held/1');
        await until(() => gate.held.length === 1);
        const leaving = open(proxy.url, '/held/leaves');
        leaving.end();
        await until(async () => (await queueLength(proxy)) === 1);
        leaving.destroy();
        await until(async () => (await queueLength(proxy)) === 0);
        expect(await outcomes(proxy, 'abandoned')).to.equal(1);
        gate.release();
        await first;
        expect(gate.seen).to.deep.equal(['/held/1']);
      }));

    it('decides again about bound requests when their backend goes down, and about all when none is left', () =>
      withGates(2, {}, async (proxy, gates, toys) => {
        let cookie: string | undefined;
        while (cookie === undefined) {
          const answer = await proxy.ask('/');
          if (answer.text === toys[0]?.url.port) cookie = cookieOf(answer);
        }
        const first = [proxy.ask('/held/1').catch(() => undefined), proxy.ask('/held/2').catch(() => undefined)];
        await until(() => gates.every(({ held }) => held.length === 1));
        const bound = proxy.as(cookie, '/held/bound');
        await until(async () => (await queueLength(proxy)) === 1);
        await proxy.admin('PUT', '/backends/backend-1', { state: 'maint' });
        await until(async () => (await proxy.view('backend-1')).queued === 0);
        gates[1]?.release();
        await until(() => gates[1]?.seen.at(-1) === '/held/bound');
        expect(toys[1]?.seen.at(-1)?.headers['holdfast-affinity']).to.equal('broken; reason=down');
        const last = proxy.ask('/held/last');
        await until(async () => (await queueLength(proxy)) === 1);
        await proxy.admin('PUT', '/backends/backend-2', { state: 'maint' });
        expect((await last).status).to.equal(503);
        for (const gate of gates) gate.release();
        expect((await bound).status).to.equal(200);
        await Promise.all(first);
      }));

    it('counts a WebSocket until it is closed', () => {
      const handle: RequestListener = (_, response) => response.end('free');
      return withToys([handle], (...toys) =>
        withProxy(toys, { engine, health: blindHealth, maxconn: 1 }, async proxy => {
          toys[0]?.server.on('upgrade', (_, socket) => {
            socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
            socket
              .on('error', () => {})
              .on('end', () => socket.end())
              .resume();
          });
          const headers = { connection: 'Upgrade', upgrade: 'websocket' };
          const upgrade = request(proxy.url, { agent: false, headers }).end();
          const [, socket] = await once(upgrade, 'upgrade');
          const waiting = proxy.ask('/');
          await until(async () => (await queueLength(proxy)) === 1);
          socket.destroy();
          expect((await waiting).text).to.equal('free');
        }),
      );
    });

    it('applies a limit that a reload changes to requests that wait already', () =>
      withGates(1, { affinity: undefined }, async (proxy, [gate], toys) => {
        const answers = [proxy.ask('/held/1'), proxy.ask('/held/2'), proxy.ask('/held/3')];
        await until(async () => gate.held.length === 1 && (await queueLength(proxy)) === 2);
        await proxy.reload({ maxconn: 2 });
        await until(() => gate.held.length === 2);
        await proxy.reload({ maxconn: 2, backends: toys.map(({ name, url }) => ({ name, url, maxconn: 0 })) });
        await until(() => gate.held.length === 3);
        expect(await proxy.view('backend-1')).to.include({ maxconn: 0 });
        while (gate.held.length > 0) gate.release();
        await Promise.all(answers);
      }));

    it('loses no bound browser when a backend is killed: the others never take more than their limit', () =>
      withGates(3, { maxconn: 4, affinity }, async (proxy, gates, toys) => {
        const cookies: (string | undefined)[] = [];
        for (let i = 0; i < 30; i += 1) cookies.push(cookieOf(await proxy.ask('/')));
        const answers = cookies.map((cookie, i) => proxy.as(cookie, `/held/${i}`));
        await until(() => gates.every(({ held }) => held.length === 4));
        const [, ...survivors] = gates;
        await toys[0]?.stop();
        let served = 0;
        const all = Promise.all(answers).then(each => {
          served = each.length;
          return each;
        });
        while (served === 0) {
          for (const gate of survivors) gate.release();
          await turn();
        }
        expect((await all).map(({ status }) => status)).to.deep.equal(cookies.map(() => 200));
        expect(survivors.map(({ most }) => most)).to.deep.equal([4, 4]);
      }));
  });
}
