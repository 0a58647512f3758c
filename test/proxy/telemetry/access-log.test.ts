import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { get, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { ProxyOptions } from '#src/proxy/options.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { cookieOf, raw } from '../ask.js';
import { connectTo } from '../engines/engine-patience.contract.js';
import { deadUrl, type Toy, withToys } from '../toy-backend.js';
import { blindHealth, type TestProxy, withPool, withProxy } from '../with-proxy.js';

type Line = Readonly<Record<string, unknown>>;

/** Returns the lines of the requests made meanwhile. The log is complete when the proxy is closed. */
async function logged(
  toys: readonly Pick<Toy, 'name' | 'url'>[],
  use: (proxy: TestProxy) => Promise<void>,
  options: Partial<ProxyOptions> = {},
): Promise<Line[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-log-'));
  const accessLog = path.join(folder, 'access.log');
  try {
    await withProxy(toys, { ...options, accessLog }, async proxy => {
      await use(proxy);
      await proxy.close(1000);
    });
    const text = await readFile(accessLog, 'utf8');
    expect(text === '' || text.endsWith('\n')).to.equal(true);
    expect(text).not.to.match(/hush|holdfast=1\./);
    return text
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const answered = (backend: string) => ({ backend, ended: 'answered' });

describe('access log', () => {
  it('writes one line per request, with exactly these fields', () =>
    withToys([undefined], async one => {
      const headers = { authorization: 'Bearer hush', cookie: 'session=hush', 'x-hush': 'hush' };
      const [line = {}, ...more] = await logged([one], async proxy => {
        await proxy.ask('/cart?token=hush', { method: 'POST', headers, body: 'hush' });
      });
      expect(more).to.deep.equal([]);
      const { time, headMs, totalMs, host, ...rest } = line;
      expect(host).to.match(/^127\.0\.0\.1:\d+$/);
      expect(rest).to.deep.equal({
        log: 'access',
        method: 'POST',
        path: '/cart',
        clientAddress: '127.0.0.1',
        status: 200,
        ended: 'answered',
        backend: 'backend-1',
        affinity: 'none',
        tries: [answered('backend-1')],
        tls: false,
        bytesIn: 4,
        bytesOut: 9,
      });
      expect(Date.parse(String(time))).to.be.closeTo(Date.now(), 10_000);
      expect(headMs).to.be.a('number').above(0);
      expect(totalMs).to.be.a('number').least(Number(headMs));
    }));

  it('names the client that a trusted proxy reports', () =>
    withToys([undefined], async one => {
      const headers = { 'x-forwarded-for': '6.6.6.6, 192.0.2.7, 10.0.0.2' };
      const trusted = ['127.0.0.1', '10.0.0.0/8'];
      const lines = await logged([one], async proxy => void (await proxy.ask('/', { headers })), { trusted });
      expect(lines.map(line => line.clientAddress)).to.deep.equal(['192.0.2.7']);
    }));

  it('records how each try ended and the affinity outcome', () =>
    withToys([undefined, undefined], async (one, two) => {
      const lines = await logged(
        [one, two],
        async proxy => {
          let cookie: string | undefined;
          for (let text = ''; text !== 'backend-1'; ) {
            const answer = await proxy.ask('/first');
            [text, cookie] = [answer.text, cookieOf(answer)];
          }
          await proxy.as(cookie, '/bound');
          await one.stop();
          await proxy.as(cookie, '/lost');
          await proxy.as('holdfast=1.forged', '/forged');
        },
        { health: blindHealth },
      );
      const of = (place: string) => lines.find(line => line.path === place);
      expect(of('/bound')).to.include({ affinity: 'bound', backend: 'backend-1' });
      expect(of('/lost')).to.deep.include({ affinity: 'rebound', status: 200, backend: 'backend-2' });
      expect(of('/lost')?.tries).to.have.lengthOf(2);
      expect(of('/lost')?.tries).to.have.nested.property('[0].backend', 'backend-1');
      expect(of('/lost')?.tries).to.have.nested.property('[0].ended').that.is.oneOf(['refused', 'broken-off']);
      expect(of('/lost')?.tries).to.have.nested.property('[1].ended', 'answered');
      expect(of('/forged')).to.include({ affinity: 'forged' });
    }));

  it('records the reason for the own answer of the proxy', async () => {
    const [line] = await logged([{ name: 'gone', url: await deadUrl() }], async proxy => void (await proxy.ask('/')));
    expect(line).to.include({ status: 503, ended: 'own', affinity: 'none' });
    expect(line)
      .to.have.property('reason')
      .that.matches(/^No server can take/);
    expect(line).to.deep.include({ tries: [] });
    expect(line).not.to.have.any.keys('headMs', 'backend');
  });

  it('records an answer that broke off and a client that left', () => {
    const breakOff = (_request: unknown, response: ServerResponse) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('begun', () => response.destroy());
    };
    return withToys([breakOff, () => {}], async (cutting, silent) => {
      const [cut] = await logged([cutting], async proxy => void (await proxy.ask('/cut').catch(() => {})));
      expect(cut).to.include({ status: 200, ended: 'cut' });
      const [left] = await logged([silent], async proxy => {
        const asked = get(`${proxy.url}/left`).on('error', () => {});
        while (silent.seen.length === 0) await proxy.admin('GET', '/backends');
        asked.socket?.resetAndDestroy();
        while (!(await proxy.admin('GET', '/metrics')).text.includes('outcome="abandoned"} 1'));
      });
      expect(left).to.include({ ended: 'abandoned', path: '/left' });
      expect(left).not.to.have.any.keys('status', 'headMs');
    });
  });

  for (const engine of ['wire', 'http-proxy']) {
    it(`writes one line of JSON per request, whatever the path (${engine})`, () =>
      withToys([undefined], async one => {
        const targets = ['/"}{"a":"b', '/%0a%0d{}', "/'\\u000a\\", '/caf\u00c3\u00a9', '/\u009b2J', '//[::1]/<b>'];
        const answers: string[] = [];
        const lines = await logged(
          [one],
          async ({ url }) => {
            for (const target of targets) {
              const text = await raw(url, `GET ${target}?hush HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
              answers.push(text.slice(9, 12));
            }
          },
          { engine },
        );
        const passed = targets.filter((_, index) => answers[index] === '200');
        expect(passed.length).to.be.least(4);
        const told = passed.map(target => target.replace(/[\u0080-\u00ff]/g, c => `%${c.charCodeAt(0).toString(16)}`));
        expect(lines).to.have.lengthOf(targets.length);
        const served = lines.filter(({ ended }) => ended === 'answered');
        expect(served.map(line => String(line.path).toLowerCase())).to.deep.equal(told.map(text => text.toLowerCase()));
      }));
  }

  for (const engine of ['wire', 'http-proxy']) {
    it(`records the answers that the engine gives by itself, and counts them (${engine})`, () =>
      withToys([() => {}], async silent => {
        const limits = { ...defaultProxyOptions.limits, idleBodyMs: 100 };
        const lines = await logged(
          [silent],
          async proxy => {
            const post = (fields: string, body = '') => `POST /up?hush HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`;
            expect(await raw(proxy.url, post('Transfer-Encoding: gzip\r\n'))).to.match(/^HTTP\/1.1 400 /);
            expect(await raw(proxy.url, post('Content-Length: 9\r\n', 'half'))).to.match(/^HTTP\/1.1 408 /);
            const counted = (labels: string) => proxy.metric(`holdfast_proxy_engine_answers_total{${labels}}`);
            expect(await counted('status="400",reason="framing"')).to.equal(1);
            expect(await counted('status="408",reason="body-timeout"')).to.equal(1);
            expect(await counted('status="none",reason="client-closed"')).to.equal(0);
            for (const status of [400, 408])
              expect(await proxy.metric(`holdfast_proxy_requests_total{status="${status}",from="proxy"}`)).to.equal(1);
          },
          { engine, limits },
        );
        expect(lines).to.have.length(2);
        const [{ time: _, ...bad } = {}, late] = lines;
        expect(bad).to.deep.equal({
          log: 'access',
          method: 'POST',
          path: '/up',
          clientAddress: '127.0.0.1',
          status: 400,
          ended: 'own',
          tries: [],
          reason: 'The only transfer coding that is understood is chunked.',
          tls: false,
        });
        expect(late).to.include({ method: 'POST', path: '/up', status: 408, ended: 'own', affinity: 'none' });
        expect(late).to.include({ reason: 'The request body did not arrive in time.' });
        expect(late?.tries).to.deep.equal([{ backend: 'backend-1', ended: 'abandoned' }]);
      }));
  }

  for (const engine of ['wire', 'http-proxy']) {
    it(`records trace, request id, host, user agent and body bytes (${engine})`, () =>
      withToys(
        [(request, response) => request.on('end', () => response.end('x'.repeat(100_000))).resume()],
        async one => {
          const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
          const agent = 'caf\u00e9 "\\';
          const headers = {
            'user-agent': agent,
            traceparent: `00-${trace}-00f067aa0ba902b7-01`,
            'x-request-id': 'a/1',
          };
          const [long, bad, refused] = await logged(
            [one],
            async ({ ask, url }) => {
              const answer = await ask('/', { method: 'PUT', body: Buffer.alloc(70_000), headers });
              expect(answer.headers['x-request-id']).to.equal('a/1');
              expect(one.seen[0]?.headers).to.include({ 'x-request-id': 'a/1', traceparent: headers.traceparent });
              const others = `traceparent: 00-1\r\ntracestate: a=1\r\nuser-agent: ${'x'.repeat(300)}\r\nx-request-id: <b>`;
              await raw(url, `GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n${others}\r\n\r\n`);
              expect(one.seen[1]?.headers).to.include({ traceparent: '00-1', tracestate: 'a=1' });
              await one.stop();
              const own = await ask('/');
              expect(own.headers['x-request-id']).to.match(/^[\da-f-]{36}$/);
              expect(own.status).to.equal(503);
            },
            { engine, requestId: 'trust', health: blindHealth },
          );
          const said = { requestId: 'a/1', traceId: trace, userAgent: 'caf%E9 "\\', bytesIn: 70_000 };
          expect(long).to.include(said);
          expect(long?.bytesOut).to.be.within(100_000, 100_100);
          expect(bad).to.include({ host: 'shop.example', userAgent: 'x'.repeat(256), bytesIn: 0 });
          expect(bad).not.to.have.property('traceId');
          expect(bad?.requestId).to.match(/^[\da-f-]{36}$/);
          expect(refused).to.include({ status: 503, bytesIn: 0, bytesOut: String(refused?.reason).length + 1 });
        },
      ));

    it(`records the bytes of a WebSocket (${engine})`, () =>
      withToys([undefined], async one => {
        one.server.on('upgrade', (_, socket) => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
          socket.on('data', (data: Buffer) => socket.end(Buffer.concat([data, data])));
        });
        const [line] = await logged(
          [one],
          async ({ url }) => {
            const client = connectTo(url);
            client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
            await once(client, 'data');
            client.write('hello');
            expect(await text(client)).to.equal('hellohello');
            client.end();
          },
          { engine },
        );
        expect(line).to.include({ status: 101, bytesIn: 5, bytesOut: 10 });
      }));
  }

  it('omits the affinity outcome when affinity is off', () =>
    withToys([undefined], async one => {
      const [line] = await logged([one], async proxy => void (await proxy.ask('/')), { affinity: undefined });
      expect(line).not.to.have.any.keys('affinity');
    }));

  it('lets the process exit while lines wait for a full disk', () => {
    const code = `
      const { AccessLog } = await import(${JSON.stringify(import.meta.resolve('#src/proxy/telemetry/access-log.js'))});
      const log = await AccessLog.open('/dev/full');
      log.write({ headMs: 1, totalMs: 1 });
      process.exit(7);`;
    const words = ['--input-type=module', '-e', code];
    expect(spawnSync(process.execPath, words, { timeout: 10_000 }).status).to.equal(7);
  });

  it('can be switched on and off by a reload', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-log-'));
    const accessLog = path.join(folder, 'access.log');
    try {
      await withPool([undefined], {}, async proxy => {
        await proxy.ask('/before');
        await proxy.reload({ accessLog });
        await proxy.ask('/while');
        await proxy.reload({});
        await proxy.ask('/after');
        expect(await readFile(accessLog, 'utf8')).to.match(/^\{[^\n]*"\/while"[^\n]*\}\n$/);
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
