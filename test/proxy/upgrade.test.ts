import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { engines } from '#src/proxy/engines/registry.js';
import { ask, cookieOf, raw } from './ask.js';
import { deadUrl, type Toy, withToys } from './toy-backend.js';
import { blindHealth, withProxy } from './with-proxy.js';

/** Runs toys that also echo WebSocket messages, each with the toy's name in front. */
async function withSockets(
  count: number,
  use: (toys: Toy[], sockets: WebSocketServer[]) => Promise<void>,
): Promise<void> {
  await withToys(Array.from({ length: count }), async (...toys) => {
    const sockets = toys.map(toy => {
      const sockets = new WebSocketServer({ noServer: true });
      sockets.on('connection', (socket, request) => {
        socket.on('error', () => {});
        socket.on('message', (data, binary) => {
          if (binary) socket.send(data);
          else socket.send(`${toy.name} ${request.headers['x-forwarded-for']} ${data}`);
        });
      });
      toy.server.on('upgrade', (request, socket, head) => {
        toy.seen.push(request);
        if (request.url === '/no') {
          socket.end('HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n');
        } else sockets.handleUpgrade(request, socket, head, client => sockets.emit('connection', client, request));
      });
      return sockets;
    });
    try {
      await use(toys, sockets);
    } finally {
      for (const server of sockets) for (const client of server.clients) client.terminate();
    }
  });
}

async function open(url: string, cookie?: string): Promise<{ socket: WebSocket; cookie: string | undefined }> {
  const socket = new WebSocket(url.replace('http', 'ws'), cookie === undefined ? {} : { headers: { cookie } });
  let issued: string | undefined;
  socket.on('upgrade', answer => {
    issued = answer.headers['set-cookie']?.[0]?.split(';')[0];
  });
  await once(socket, 'open');
  return { socket, cookie: issued };
}

async function echo(socket: WebSocket, text: string): Promise<string> {
  const answer = once(socket, 'message');
  socket.send(text);
  return String((await answer)[0]);
}

for (const engine of Object.keys(engines)) {
  describe(`proxy: upgrades, engine ${engine}`, () => {
    it('tunnels a WebSocket to the backend of its cookie, and binds one without a cookie', () =>
      withSockets(3, toys =>
        withProxy(toys, { engine }, async proxy => {
          const bound = await ask(proxy.url, '/');
          for (let i = 0; i < 3; i += 1) {
            const { socket, cookie } = await open(proxy.url, cookieOf(bound));
            expect(await echo(socket, 'hello')).to.equal(`${bound.text} 127.0.0.1 hello`);
            expect(cookie).to.equal(undefined);
            socket.close();
          }
          const fresh = await open(proxy.url);
          const name = (await echo(fresh.socket, '')).split(' ')[0];
          expect((await proxy.as(fresh.cookie)).text).to.equal(name);
          fresh.socket.close();
        }),
      ));

    it('carries a megabyte each way', () =>
      withSockets(1, toys =>
        withProxy(toys, { engine }, async proxy => {
          const { socket } = await open(proxy.url);
          const body = Buffer.alloc(1024 * 1024, 'holdfast');
          const answer = once(socket, 'message');
          socket.send(body);
          expect(body.equals((await answer)[0])).to.equal(true);
          socket.close();
        }),
      ));

    it('tries the next backend when one refuses the connection', () =>
      withSockets(2, toys =>
        withProxy(toys, { engine, health: blindHealth, affinity: undefined }, async proxy => {
          await toys[0]?.stop();
          for (let i = 0; i < 3; i += 1) {
            const { socket } = await open(proxy.url);
            expect(await echo(socket, 'x')).to.equal('backend-2 127.0.0.1 x');
            socket.close();
          }
          expect(await proxy.metric('holdfast_proxy_retries_total{kind="refused"}')).to.equal(1);
        }),
      ));

    it('counts an open tunnel as in flight until either side closes', () =>
      withSockets(1, (toys, sockets) =>
        withProxy(toys, { engine }, async proxy => {
          for (const closeIt of [
            (client: WebSocket) => client.terminate(),
            () =>
              sockets[0]?.clients.forEach(c => {
                c.terminate();
              }),
          ]) {
            const { socket } = await open(proxy.url);
            expect((await proxy.view('backend-1')).inFlight).to.equal(1);
            const closed = once(socket, 'close');
            closeIt(socket);
            await closed;
            while ((await proxy.view('backend-1')).inFlight !== 0);
          }
        }),
      ));

    it('forwards a refused upgrade as a well-formed answer', () =>
      withSockets(1, toys =>
        withProxy(toys, { engine }, async proxy => {
          const head =
            'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==';
          const answer = await raw(proxy.url, `GET /no HTTP/1.1\r\n${head}\r\n\r\n`);
          expect(answer).to.match(/^HTTP\/1\.1 401 Unauthorized\r\n/);
          expect(answer).to.match(/\r\n4\r\nnope\r\n0\r\n\r\n$/);
        }),
      ));

    it('returns 503 when no backend is up', async () => {
      const url = await deadUrl();
      await withProxy([{ name: 'dead', url }], { engine }, async proxy => {
        const head =
          'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==';
        expect(await raw(proxy.url, `GET / HTTP/1.1\r\n${head}\r\n\r\n`)).to.match(/^HTTP\/1\.1 503 /);
      });
    });

    it('does not forward an offer of another protocol', () =>
      withSockets(1, toys =>
        withProxy(toys, { engine }, async proxy => {
          const head =
            'Host: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__';
          expect(await raw(proxy.url, `GET / HTTP/1.1\r\n${head}\r\n\r\n`)).to.match(/^HTTP\/1\.1 200 /);
          expect(toys[0]?.seen.at(-1)?.headers).to.not.have.any.keys('upgrade', 'http2-settings');
        }),
      ));

    it('keeps the protocol, and drops other fields that the backend names in Connection', () =>
      withToys([undefined], toy =>
        withProxy([toy], { engine }, async proxy => {
          const fields = 'Connection: Upgrade, X-Hop\r\nX-Hop: 1\r\nUpgrade: websocket';
          toy.server.on('upgrade', (_, socket) => {
            socket.on('error', () => {});
            socket.end(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\nhi`);
          });
          const { hostname, port } = new URL(proxy.url);
          const client = connect(Number(port), hostname, () => {
            client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
          });
          let answer = '';
          for await (const chunk of client) answer += chunk;
          expect(answer).to.match(/^HTTP\/1\.1 101 Switching Protocols\r\n(?:.+\r\n)*Upgrade: websocket\r\n[\s\S]*hi$/);
          expect(answer).to.not.match(/x-hop/i);
        }),
      ));

    it('ends the tunnels of a draining backend one by one, and those opened meanwhile at the end of the window', () =>
      withSockets(2, toys =>
        withProxy(toys, { engine }, async proxy => {
          const bound = cookieOf(await ask(proxy.url, '/')) ?? '';
          const name = (await proxy.as(bound)).text;
          const first = await Promise.all([1, 2, 3].map(() => open(proxy.url, bound)));
          const startedMs = performance.now();
          const closings = first.map(({ socket }) => once(socket, 'close').then(() => performance.now() - startedMs));
          await proxy.admin('PUT', `/backends/${name}`, { state: 'drain', windowMs: 800 });
          const late = await open(proxy.url, bound);
          const lateClosed = once(late.socket, 'close');
          const closedMs = (await Promise.all(closings)).sort((a, b) => a - b);
          for (const [at, ms] of closedMs.entries()) expect(ms).to.be.at.least(200 * (at + 1) - 5);
          expect(await proxy.event(({ kind }) => kind === 'drained')).to.include({ backend: name, reason: 'window' });
          await lateClosed;
          while ((await proxy.view(name)).inFlight !== 0);
        }),
      ));

    it('ends the tunnels when the proxy closes', () =>
      withSockets(1, toys =>
        withProxy(toys, { engine }, async proxy => {
          const { socket } = await open(proxy.url);
          const closed = once(socket, 'close');
          await proxy.close(20);
          await closed;
        }),
      ));
  });
}

describe('proxy: upgrades', () => {
  it('engine http-proxy closes the connection when an upgrade is pipelined behind an unanswered request', () =>
    withToys([() => {}], toy =>
      withProxy([toy], { engine: 'http-proxy' }, async proxy => {
        const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
        const get = (fields: string) => `GET / HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
        expect(await raw(proxy.url, get('') + get(upgrade))).to.equal('');
        expect(await proxy.metric('holdfast_proxy_attempts_total{backend="backend-1",outcome="answered"}')).to.equal(0);
        while ((await proxy.view('backend-1')).inFlight !== 0);
      }),
    ));
});
