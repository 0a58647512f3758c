import { expect } from 'chai';
import { computeHealthState, type HealthState, probe } from '#src/proxy/pool/health.js';
import { deadUrl, startToy, withTcp, withToys } from '../toy-backend.js';
import { quickHealth, withPool, withProxy } from '../with-proxy.js';

describe('health: up or down', () => {
  const options = { rise: 2, fall: 3 };
  const after = (probes: string): HealthState | undefined =>
    [...probes].reduce<HealthState | undefined>(
      (standing, each) => computeHealthState(standing, each === '+', options),
      undefined,
    );
  const table: Record<string, boolean> = {
    '+': true,
    '-': false,
    '+-': true,
    '+--': true,
    '+---': false,
    '+--+--': true,
    '-+': false,
    '-++': true,
    '-+-+': false,
    '+---+': false,
    '+---++': true,
  };
  for (const [probes, up] of Object.entries(table)) {
    it(`${probes} is ${up ? 'up' : 'down'}`, () => expect(after(probes)?.up).to.equal(up));
  }
});

describe('health: one probe', () => {
  const ask = (url: URL) => probe(url, { path: '/health', timeoutMs: 100 }, new AbortController());

  it('reads the boot name from the header, else from a JSON body', () =>
    withToys([undefined], async toy => {
      if (toy === undefined) return;
      expect(await ask(toy.url)).to.deep.equal({
        ok: true,
        reason: 'health check answered 200',
        incarnation: 'backend-1-boot-1',
      });
      toy.healthy = false;
      expect(await ask(toy.url)).to.include({ ok: false, reason: 'health check answered 503' });
    }));

  it('reads the body of a health check', () => {
    const answer = (body: string) =>
      withTcp(
        socket => socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n\r\n${body}`)),
        async url => {
          const { ok, incarnation } = await ask(url);
          expect(ok).to.equal(true);
          seen.push(incarnation);
        },
      );
    const seen: (string | undefined)[] = [];
    return ['{"incarnation":"b7"}', '{"incarnation":7}', '{"incar', 'ok', '{}'.padEnd(100_000)]
      .reduce((before, body) => before.then(() => answer(body)), Promise.resolve())
      .then(() => expect(seen).to.deep.equal(['b7', undefined, undefined, undefined, undefined]));
  });

  it('fails when a connection opens and no answer comes', () =>
    withTcp(
      socket => socket.resume(),
      async url => {
        expect(await ask(url)).to.deep.equal({ ok: false, reason: 'no answer within 100 ms', incarnation: undefined });
      },
    ));

  it('gives the reason when there is no answer', async () => {
    expect(await ask(await deadUrl())).to.deep.equal({ ok: false, reason: 'ECONNREFUSED', incarnation: undefined });
  });
});

describe('health: the proxy', () => {
  it('probes every backend before it takes traffic', async () => {
    const url = await deadUrl();
    await withToys([undefined], (...toys) =>
      withProxy([{ name: 'dead', url }, ...toys], { health: { ...quickHealth, everyMs: 60_000 } }, async proxy => {
        expect(await proxy.view('dead')).to.include({ state: 'down' });
        expect(await proxy.view('backend-1')).to.include({ state: 'ready', incarnation: 'backend-1-boot-1' });
        for (let i = 0; i < 4; i += 1) expect((await proxy.ask('/')).text).to.equal('backend-1');
      }),
    );
  });

  it('reports transitions with their reason, not every probe', () =>
    withPool([undefined], {}, async (proxy, toy) => {
      if (toy === undefined) return;
      toy.healthy = false;
      await proxy.goes('backend-1', 'down');
      await new Promise(resolve => setTimeout(resolve, 200));
      toy.healthy = true;
      proxy.forget();
      await proxy.goes('backend-1', 'ready');
      await new Promise(resolve => setTimeout(resolve, 200));
      expect(proxy.events).to.deep.equal([
        { kind: 'backend', backend: 'backend-1', from: 'down', to: 'ready', reason: 'health check answered 200' },
      ]);
    }));

  it('probes at once when a connection is refused, and binds no browser to that backend meanwhile', async () => {
    const health = { ...quickHealth, everyMs: 60_000, transitionMs: 60_000, fall: 2 };
    const stays = await startToy('backend-1');
    const dies = await startToy('backend-2');
    try {
      await withProxy([stays, dies], { health, affinity: undefined }, async proxy => {
        await dies.stop();
        for (let i = 0; i < 6; i += 1) expect((await proxy.ask('/')).text).to.equal('backend-1');
        // The first refusal made it suspect, so no further request was sent there.
        expect(await proxy.metric('holdfast_proxy_retries_total{kind="refused"}')).to.equal(1);
        expect(await proxy.view('backend-2')).to.include({ state: 'ready' });
      });
    } finally {
      await stays.stop();
    }
  });

  it('probes more often while a backend changes between up and down', () =>
    withPool([undefined, undefined], { health: { ...quickHealth, everyMs: 600, fall: 3 } }, async (proxy, toy) => {
      if (toy !== undefined) toy.healthy = false;
      await proxy.event(event => event.kind === 'listening');
      const startedMs = performance.now();
      await proxy.goes('backend-1', 'down');
      // One probe after 600 ms and two more 20 ms apart. At the normal interval it would take 1800 ms.
      expect(performance.now() - startedMs).to.be.lessThan(1500);
    }));

  it('uses a suspect backend when there is no other', () =>
    withPool([undefined], {}, async (proxy, toy) => {
      if (toy === undefined) return;
      toy.healthy = false;
      while ((await proxy.view('backend-1')).state === 'ready') {
        const { status } = await proxy.ask('/');
        if ((await proxy.view('backend-1')).state === 'ready') expect(status).to.equal(200);
      }
    }));
});
