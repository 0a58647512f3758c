import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { EngineFactory, Outcome } from '#src/proxy/exchange.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { urlOf, withTcp } from '../toy-backend.js';
import { withEngine } from './with-engine.js';

const { limits } = defaultProxyOptions;
export const post = (bytes: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`;
const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Tests slow and early peers: which waits are allowed, and which are not. */
export function itEnforcesWaits(make: EngineFactory): void {
  describe('patience', () => {
    it('lets a begun answer wait while its request still moves', () =>
      withTcp(
        socket => {
          socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'));
          socket.on('data', data => data.includes('Z') && socket.write('ok'));
        },
        url =>
          withEngine(
            make,
            [url],
            async engine => {
              const client = connectTo(engine.url);
              client.write(post(11));
              for (const byte of 'abcdefghijZ') {
                client.write(byte);
                await sleep(30);
              }
              expect(await engine.settled(1)).to.deep.equal([{ kind: 'answered', status: 200 }]);
              client.destroy();
            },
            { limits: { idleBodyMs: 120 } },
          ),
      ));

    const bulk = Buffer.alloc(16 * 1024 * 1024);
    for (const [reader, sender, idleMs, when] of [
      ['backend', 'client', 0, ''],
      ['client', 'backend', 0, ''],
      ['backend', 'client', 500, ', and that was silent before'],
      ['client', 'backend', 500, ', and that was silent before'],
    ] as const) {
      it(`ends a tunnel whose ${reader} reads nothing after the ${sender} has left${when}`, () =>
        withTcp(
          socket => {
            socket.once('data', async () => {
              socket.write(switching);
              socket.pause();
              await sleep(idleMs);
              if (sender === 'backend') leaveBehind(socket, bulk);
            });
          },
          url =>
            withEngine(
              make,
              [url],
              async engine => {
                const client = connectTo(engine.url);
                client.write(upgrade);
                await once(client, 'data');
                client.pause();
                await sleep(idleMs);
                if (sender === 'client') leaveBehind(client, bulk);
                const over: Outcome[] | string = await Promise.race([engine.settled(1), sleep(15_000, 'stuck')]);
                client.destroy();
                expect(over).to.deep.equal([{ kind: 'answered', status: 101 }]);
              },
              { limits: { idleBodyMs: 200 } },
            ),
        ));
    }

    it('stops serving a client that sends requests and reads no answers', async () => {
      let served = 0;
      const engine = make({
        onExchange: exchange => {
          served += 1;
          exchange.refuse(503, 'x'.repeat(100_000), {});
        },
        limits,
        backendTls: undefined,
        forwarded: false,
      });
      const server = createServer({ allowHalfOpen: true }, socket =>
        engine.take({ socket, clientAddress: '127.0.0.1', secure: false, trusted: false }),
      ).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const client = connectTo(urlOf(server).href);
      client.write(get.repeat(150));
      await sleep(300);
      const before = served;
      expect(before).to.be.within(1, 149);
      client.write(get);
      // A client that reads on is served on.
      for await (const _ of client) if (served === 151) break;
      expect(served).to.equal(151);
      server.close();
      await engine.close(0);
    });

    it('delivers the end of an answer to a slow reader before it closes', async () => {
      const engine = make({
        onExchange: exchange => exchange.refuse(503, 'all of this', {}),
        limits,
        backendTls: undefined,
        forwarded: false,
      });
      const server = createServer({ allowHalfOpen: true }, socket => {
        Object.setPrototypeOf(socket, Reluctant.prototype);
        engine.take({ socket, clientAddress: '127.0.0.1', secure: false, trusted: false });
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const client = connectTo(urlOf(server).href);
      client.write(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      expect(await text(client)).to.match(/all of this\n$/);
      client.destroy();
      server.close();
      await engine.close(0);
    });
  });
}

export function connectTo(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect({ host: hostname, port: Number(port), allowHalfOpen: true }).on('error', () => {});
}

/** Writes more than all buffers on the way hold, and then leaves. */
function leaveBehind(socket: Socket, bulk: Buffer): void {
  socket.write(bulk);
  setTimeout(() => socket.resetAndDestroy(), 100);
}

/** A socket whose data the system takes later than the linger time. */
class Reluctant extends Socket {
  override _write(...written: Parameters<Socket['_write']>): void {
    setTimeout(() => super._write(...written), 2_600);
  }
}
