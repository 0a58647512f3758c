import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { makeDevCertificate } from '#src/proxy/front/tls-pair.js';
import type { ProxyOptions } from '#src/proxy/options.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { ask } from '../ask.js';
import { type Toy, withToys } from '../toy-backend.js';
import { affinity, quickHealth, type TestProxy, withProxy } from '../with-proxy.js';
import { frameTypes } from './frames.js';
import { askHttp2, connectTo, withHttp2 } from './with-http2.js';

async function withTls(
  toys: readonly Toy[],
  options: Partial<ProxyOptions>,
  use: (proxy: TestProxy, session: ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const tls = await makeDevCertificate();
  await withProxy(toys, { tls, ...options }, async proxy => {
    const session = connectTo(proxy.url);
    try {
      await use(proxy, session);
    } finally {
      session.destroy();
    }
  });
}

/** Returns the protocol that the proxy chooses from these. */
async function negotiate(url: string, ALPNProtocols: string[]): Promise<string | false | null> {
  const socket = connect({
    host: '127.0.0.1',
    port: Number(new URL(url).port),
    ALPNProtocols,
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  socket.destroy();
  return socket.alpnProtocol;
}

describe('proxy with HTTP/2', () => {
  for (const [engine, { http2 }] of Object.entries(engines)) {
    for (const asked of [undefined, true, false]) {
      const offered = http2 && asked !== false;
      it(`${offered ? 'offers' : 'does not offer'} it with engine ${engine} and http2 ${asked}`, () =>
        withToys([undefined], toy =>
          withTls([toy], { engine, http2: asked }, async ({ url }) => {
            expect(await negotiate(url, ['http/1.1', 'h2'])).to.equal(offered ? 'h2' : 'http/1.1');
            expect(await negotiate(url, ['http/1.1'])).to.equal('http/1.1');
          }),
        ));
    }
  }

  it('binds a browser whichever protocol it speaks', () =>
    withToys([undefined, undefined, undefined], (...toys) =>
      withTls(toys, {}, async (proxy, session) => {
        const { cert: ca } = await makeDevCertificate();
        const first = await askHttp2(session);
        const [line = ''] = first.headers['set-cookie'] ?? [];
        expect(line).to.match(/^__Host-holdfast=.*; Secure/);
        const [cookie = ''] = line.split(';');
        for (let nth = 0; nth < 6; nth += 1) {
          // Browsers send each cookie in a field of its own.
          const second = await askHttp2(session, { cookie: ['a=1', cookie] });
          expect(second).to.include({ text: first.text });
          expect((await ask(proxy.url, '/', { headers: { cookie }, ca })).text).to.equal(first.text);
        }
        expect(toys.flatMap(({ seen }) => seen.map(({ headers }) => headers.cookie))).not.to.include(cookie);
      }),
    ));

  it('moves a bound browser when its backend is gone, and tells the next one', () =>
    withToys([undefined, undefined], (...toys) =>
      withTls(toys, {}, async (_, session) => {
        const first = await askHttp2(session);
        const [cookie = ''] = first.headers['set-cookie']?.[0]?.split(';') ?? [];
        const [other] = toys.filter(({ name }) => name !== first.text);
        await toys.find(({ name }) => name === first.text)?.stop();
        expect(await askHttp2(session, { cookie })).to.include({ status: 200, text: other?.name });
        expect(other?.seen.at(-1)?.headers).to.include({ 'holdfast-affinity': 'broken; reason=down' });
      }),
    ));

  it('writes the protocol into the access log', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-log-'));
    try {
      const accessLog = path.join(folder, 'access.log');
      await withToys([undefined], toy =>
        withTls([toy], { accessLog }, async (proxy, session) => {
          await askHttp2(session, { ':path': '/two?token=1' });
          await ask(proxy.url, '/one', { ca: (await makeDevCertificate()).cert });
          await proxy.close(1000);
        }),
      );
      const lines = (await readFile(accessLog, 'utf8')).trim().split('\n');
      expect(lines.map(line => JSON.parse(line)).map(line => [line.path, line.protocol, line.tls])).to.deep.equal([
        ['/two', 'h2', true],
        ['/one', undefined, true],
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('counts refused streams, and an HTTP/2 connection as a connection', () =>
    withToys([undefined], toy =>
      withTls([toy], {}, async (proxy, session) => {
        expect(await askHttp2(session, { ':authority': 'shop.example', host: 'other.example' })).to.include({
          status: 400,
        });
        expect(await proxy.metric('holdfast_proxy_http2_refused_total{reason="malformed"}')).to.equal(1);
        expect(await proxy.metric('holdfast_proxy_connections')).to.equal(1);
      }),
    ));

  it('tells clients to leave when it closes, and finishes their streams', () => {
    const held: ServerResponse[] = [];
    return withToys([(request, response) => (request.url === '/' ? void held.push(response) : response.end())], toy =>
      withTls([toy], { affinity: undefined }, async (proxy, session) => {
        const waiting = askHttp2(session);
        const goaway = once(session, 'goaway');
        const idle = connectTo(proxy.url);
        await askHttp2(idle, { ':path': '/at-once' });
        const idleClosed = once(idle, 'close');
        const closed = proxy.close(10_000);
        await Promise.all([goaway, idleClosed]);
        expect(held).to.have.length(1);
        for (const response of held) response.end('whole');
        expect(await waiting).to.include({ status: 200, text: 'whole', code: 0 });
        await closed;
      }),
    );
  });

  it('answers the next request of an idle client when a successor has taken over, and then tells it to leave', () =>
    withToys([undefined], toy =>
      withHttp2([toy.url], async front => {
        const [idle, late] = [front.connect(), front.connect()];
        await Promise.all([askHttp2(idle), once(late, 'connect')]);
        front.drainConnections();
        const closed = front.close(10_000, true);
        for (const session of [idle, late]) {
          const told = once(session, 'goaway');
          const gone = once(session, 'close');
          expect(await askHttp2(session)).to.include({ status: 200, code: 0 });
          await Promise.all([told, gone]);
        }
        await closed;
      }),
    ));

  it('chooses the pool by :authority', () =>
    withToys([undefined, undefined], (shop, other) => {
      const { policy, hashKey, slowStartMs, maxconn, queue, drainMs, ejection } = defaultProxyOptions;
      const own = { policy, hashKey, slowStartMs, maxconn, queue, drainMs, ejection, affinity, health: quickHealth };
      const backends = [{ name: 'shop.example:backend-1', url: shop?.url ?? new URL('http://none') }];
      const hosts = [{ ...own, host: 'shop.example', backends }];
      return withTls(other === undefined ? [] : [other], { hosts }, async (_, session) => {
        expect((await askHttp2(session, { ':authority': 'shop.example' })).text).to.equal(shop?.name);
        expect((await askHttp2(session, { ':authority': 'blog.example' })).text).to.equal(other?.name);
      });
    }));

  it('cuts streams off when the grace is over', () =>
    withToys([() => {}], toy =>
      withTls([toy], { affinity: undefined }, async (proxy, session) => {
        const waiting = askHttp2(session);
        while ((await proxy.view('backend-1')).inFlight === 0);
        await proxy.close(100);
        expect(await waiting).to.include({ status: 0 });
      }),
    ));
});

describe('HTTP/2: an idle connection', () => {
  it('is closed in order after the keep-alive timeout, and not while a stream is open', () => {
    const held: ServerResponse[] = [];
    return withToys([(_, response) => void held.push(response)], toy =>
      withHttp2(
        [toy.url],
        async front => {
          const session = front.connect();
          const closed = once(session, 'close');
          const codes: number[] = [];
          session.on('goaway', code => codes.push(code));
          const waiting = askHttp2(session);
          await front.arrived(1);
          // An idle connection that was opened later is closed first.
          await once(front.connect(), 'close');
          for (const response of held) response.end('late');
          expect(await waiting).to.include({ text: 'late' });
          await closed;
          expect(codes).to.include(0);
        },
        { limits: { clientIdleMs: 200, clientHeadMs: 200 } },
      ),
    );
  });

  it('is closed in time when its client never closes it', () =>
    withToys([undefined], toy =>
      withHttp2(
        [toy.url],
        async front => {
          const client = await front.connectRaw(true);
          await client.find(({ type }) => type === frameTypes.goaway);
          expect(front.connections()).to.equal(1);
          while (front.connections() > 0) await setImmediate();
        },
        { limits: { clientHeadMs: 200 } },
      ),
    ));
});
