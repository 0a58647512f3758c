import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { makeDevCertificate } from '#src/proxy/front/tls-pair.js';
import { raw } from '../ask.js';
import { withRecorder } from '../recording-backend.js';
import { withSilentListener } from '../silent-listener.js';
import { withTcp, withToys } from '../toy-backend.js';
import { throughWith, withEngine } from './with-engine.js';

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const post = (bytes: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`;
const websocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

/** Tests clients that close their side and still read. */
export function itAnswersHalfClosedClients(make: EngineFactory): void {
  const through = throughWith(make);

  describe('half-closed clients', () => {
    const late: RequestListener = (request, response) =>
      request.on('end', () => setTimeout(() => response.end(`answer to ${request.url}`), 30)).resume();

    it('answers a request and closes', () =>
      through(late, async ({ url, settled }) => {
        expect(await text(sendAll(url, get('/a')))).to.match(/^HTTP\/1\.1 200 [\s\S]*answer to \/a/);
        expect(await settled(1)).to.deep.equal([{ kind: 'answered', status: 200 }]);
      }));

    it('answers every pipelined request', () =>
      through(late, async ({ url }) => {
        const answers = await text(sendAll(url, get('/a') + get('/b') + get('/c')));
        expect(answers.match(/answer to \/./g)).to.deep.equal(['answer to /a', 'answer to /b', 'answer to /c']);
      }));

    it('answers the requests before one that is not complete', () =>
      through(late, async ({ url, exchanges }) => {
        const answers = await text(sendAll(url, `${get('/a')}GET /b HT`));
        expect(answers).to.match(/^HTTP\/1\.1 200 [\s\S]*answer to \/a/);
        expect(exchanges).to.have.length(1);
      }));

    it('answers a request with a body', () =>
      through(
        (request, response) => request.pipe(response),
        async ({ url, settled }) => {
          expect(await text(sendAll(url, `${post(5)}hello`))).to.match(/^HTTP\/1\.1 200 [\s\S]*hello/);
          expect(await settled(1)).to.deep.equal([{ kind: 'answered', status: 200 }]);
        },
      ));

    for (const [what, body, status] of [
      ['answers', 'hello', 200],
      ['returns 400 for a cut body to', 'hel', 400],
    ] as const) {
      it(`${what} a client that closed its side before a backend was connected`, () =>
        withSilentListener(silent =>
          withToys([(request, response) => request.pipe(response)], alive =>
            withEngine(make, [silent, alive.url], async ({ url, arrived }) => {
              const client = sendAll(url, `${post(5)}${body}`);
              const [exchange] = await arrived(1);
              // When this is answered, the engine has noticed the close.
              await raw(url, 'no HTTP\r\n\r\n');
              exchange?.breakOff(false);
              expect(await text(client)).to.match(new RegExp(`^HTTP/1.1 ${status} `));
            }),
          ),
        ));
    }

    it('answers over TLS', async () => {
      const tls = await makeDevCertificate();
      await through(
        late,
        async ({ url }) => {
          const { hostname, port } = new URL(url);
          const options = {
            host: hostname,
            port: Number(port),
            ca: tls.cert,
            servername: 'localhost',
            allowHalfOpen: true,
          };
          const client = connectTls(options);
          client.end(get('/a'));
          expect(await text(client)).to.match(/^HTTP\/1\.1 200 [\s\S]*answer to \/a/);
        },
        { front: { tls: { fallback: tls, byHost: new Map() } } },
      );
    });

    it('returns 400 for a body that the client cut', () =>
      withRecorder(
        () => {},
        ({ url: backend, requests }) =>
          withEngine(make, [backend], async ({ url, settled }) => {
            expect(await text(sendAll(url, `${post(10)}half`))).to.match(/^HTTP\/1\.1 400 [\s\S]*outcome=unknown/);
            expect((await settled(1))[0])
              .to.deep.include({ kind: 'abandoned' })
              .and.have.nested.property('own.status', 400);
            expect(requests).to.deep.equal([]);
          }),
      ));

    it('opens a tunnel whose client sends nothing', () =>
      withTcp(
        socket => {
          socket.once('data', () => socket.write(`HTTP/1.1 101 Switching Protocols\r\n${websocket}\r\nhello`));
          socket.on('end', () => socket.end(' and bye'));
        },
        backend =>
          withEngine(make, [backend], async ({ url, settled }) => {
            const client = sendAll(url, get('/').replace('\r\n\r\n', `\r\n${websocket}\r\n`));
            expect(await text(client)).to.match(/^HTTP\/1\.1 101 [\s\S]*hello and bye$/);
            expect(await settled(1)).to.deep.equal([{ kind: 'answered', status: 101 }]);
          }),
      ));

    it('abandons a client that closed both sides as soon as a write fails', () => {
      let stop = (): void => {};
      const stopped = new Promise<void>(resolve => (stop = resolve));
      return withTcp(
        socket =>
          socket.once('data', () => {
            socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
            const timer = setInterval(() => socket.write('1\r\nx\r\n'), 5);
            socket.on('close', () => {
              clearInterval(timer);
              stop();
            });
          }),
        backend =>
          withEngine(make, [backend], async ({ url, settled }) => {
            const client = connectTo(url);
            client.write(get('/'));
            await once(client, 'data');
            client.destroy();
            expect(await settled(1)).to.deep.equal([{ kind: 'abandoned' }]);
            await stopped;
          }),
      );
    });
  });
}

function connectTo(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect({ host: hostname, port: Number(port), allowHalfOpen: true });
}

/** Sends these bytes and closes this side. */
function sendAll(url: string, bytes: string): Socket {
  return connectTo(url).end(bytes);
}
