/** Cases that Node's own client and server cannot handle reliably, so the http-proxy engine is not tested for them. */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { expect } from 'chai';
import { Deadlines, Reads } from '#src/proxy/engines/wire/connection-io.js';
import { Upstreams } from '#src/proxy/engines/wire/upstream.js';
import { wireEngine as make } from '#src/proxy/engines/wire.js';
import { makeDevCertificate } from '#src/proxy/front/tls-pair.js';
import { urlOf, withTcp } from '../toy-backend.js';
import { connectTo, post } from './engine-patience.contract.js';
import { withEngine } from './with-engine.js';

const tooLarge = 'HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n';

describe('engine wire: patience', () => {
  it('forwards an early answer of a backend that closes while the client is still sending', () =>
    withTcp(
      socket => socket.once('data', () => socket.write(tooLarge, () => socket.destroy())),
      url =>
        withEngine(make, [url], async engine => {
          const client = connectTo(engine.url);
          client.write(post(1e9));
          const sending = setInterval(() => !client.writableNeedDrain && client.write(Buffer.alloc(65_536)), 0);
          const [answer] = await once(client, 'data');
          clearInterval(sending);
          client.destroy();
          expect(String(answer)).to.match(/^HTTP\/1\.1 413 /);
        }),
    ));

  it('does not wait for such an answer over TLS, which Node no longer reads', async () => {
    const { cert, key } = await makeDevCertificate();
    const server = createTlsServer({ cert, key }, socket =>
      socket.on('error', () => {}).once('data', () => socket.write(tooLarge, () => socket.destroy())),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const backendTls = { ca: undefined, servername: undefined, rejectUnauthorized: false };
    const url = new URL(urlOf(server).href.replace('http:', 'https:'));
    await withEngine(
      make,
      [url],
      async engine => {
        const client = connectTo(engine.url);
        client.write(post(1e9));
        const sending = setInterval(() => !client.writableNeedDrain && client.write(Buffer.alloc(65_536)), 0);
        const over = await Promise.race([engine.settled(1), sleep(3_000, 'stuck')]);
        expect(over).to.not.equal('stuck');
        clearInterval(sending);
        client.destroy();
      },
      { backendTls },
    );
    server.close();
  });

  it('sends no POST on a connection that expired while this process was blocked', () =>
    withTcp(
      () => {},
      async url => {
        const deadlines = new Deadlines(1_000);
        const upstreams = new Upstreams(deadlines, new Reads(), 1_000, undefined);
        const kept = upstreams.dial(url);
        await once(kept.socket, 'connect');
        const keep = () => upstreams.putBack(url, kept, 'timeout=1');
        keep();
        expect(upstreams.take(url, false)).to.equal(kept);
        keep();
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
        expect(upstreams.take(url, false)).to.not.equal(kept);
        upstreams.close();
        deadlines.close();
      },
    ));

  it('does not extend the time of a head for empty lines', () =>
    withEngine(
      make,
      [],
      async ({ url }) => {
        const client = connectTo(url);
        const closed = text(client);
        const began = performance.now();
        const halves = setInterval(() => client.write(client.bytesWritten % 2 === 0 ? '\r' : '\n'), 90);
        await closed;
        clearInterval(halves);
        client.destroy();
        // Without the rule each half that comes in time would begin the time anew: 7 × 90 ms.
        expect(performance.now() - began).to.be.lessThan(500);
      },
      { limits: { clientHeadMs: 200 } },
    ));

  it('keeps an idle connection after the empty line that follows a body', () =>
    withEngine(
      make,
      [],
      async ({ url, arrived }) => {
        const client = connectTo(url);
        client.write(`${post(4)}body\r\n`);
        await once(client, 'data');
        await sleep(300);
        client.write('GET /next HTTP/1.1\r\nHost: x\r\n\r\n');
        const [, second] = await arrived(2);
        expect(second?.path).to.equal('/next');
        client.destroy();
      },
      { limits: { clientHeadMs: 100 } },
    ));

  it('keeps a reserve of idle connections for long, and those of a burst for a short time', () =>
    withTcp(
      () => {},
      async url => {
        const deadlines = new Deadlines(1_000);
        const upstreams = new Upstreams(deadlines, new Reads(), 1_000, undefined);
        const burst = Array.from({ length: 40 }, () => upstreams.dial(url));
        await Promise.all(burst.map(({ socket }) => once(socket, 'connect')));
        for (const upstream of burst) upstreams.putBack(url, upstream, undefined);
        const keptMs = burst.map(({ deadlineMs }) => deadlineMs - performance.now());
        expect(Math.min(...keptMs.slice(0, 32))).to.be.within(50_000, 60_000);
        expect(Math.max(...keptMs.slice(32))).to.be.within(4_000, 6_000);
        upstreams.close();
        deadlines.close();
      },
    ));

  it('closes a connection on shutdown while it drops the rest of a body', () =>
    withTcp(
      socket => socket.once('data', () => socket.write(tooLarge)),
      url =>
        withEngine(make, [url], async engine => {
          const client = connectTo(engine.url);
          client.write(`${post(10)}half`);
          await once(client, 'data');
          await engine.settled(1);
          const closed = engine.close(1_000);
          client.write('other\n');
          const told = once(client, 'end').then(() => 'told to leave');
          const first = await Promise.race([told, sleep(500, 'kept')]);
          client.destroy();
          expect(first).to.equal('told to leave');
          await closed;
        }),
    ));
});
