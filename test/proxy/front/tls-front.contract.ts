import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import type { EngineFactory } from '#src/proxy/exchange.js';
import type { TurnedAway } from '#src/proxy/front/frontend.js';
import type { TlsPair } from '#src/proxy/front/tls-pair.js';
import { ask } from '../ask.js';
import { authority, issue, withFolder } from '../certificates.js';
import { type EngineTest, type RunningEngine, throughWith, withEngine } from '../engines/with-engine.js';
import { withTcp, withToys } from '../toy-backend.js';

const curl = promisify(execFile);

/** Returns the socket after the handshake, or the error that ended it. */
function shakeHands(url: string, options: ConnectionOptions): Promise<TLSSocket | Error> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ...options });
    socket.on('secureConnect', () => resolve(socket)).on('error', resolve);
  });
}

/** Resolves when the proxy closes a connection on which `bytes` were sent. */
async function closedAfter(url: string, bytes: string): Promise<void> {
  const socket = plain(url);
  socket.write(bytes, 'latin1');
  await once(socket.resume(), 'close');
}

function plain(url: string): Socket {
  return connectPlain({ host: '127.0.0.1', port: Number(new URL(url).port) }).on('error', () => {});
}

/** Tests how an engine serves connections over TLS. */
export function itServesTls(make: EngineFactory): void {
  const through = throughWith(make);
  let ca: TlsPair;
  let pair: TlsPair;
  let away: TurnedAway[];
  let waiting: (() => void)[];
  before(async () => {
    ca = await authority('Test authority');
    pair = await issue(ca);
  });
  beforeEach(() => {
    away = [];
    waiting = [];
  });

  const overTls = (tlsHandshakeMs = 10_000): EngineTest => ({
    front: {
      tls: { fallback: pair, byHost: new Map() },
      tlsHandshakeMs,
      onTurnedAway(reason) {
        away.push(reason);
        for (const look of waiting) look();
      },
    },
  });
  const turnedAway = (count: number): Promise<void> =>
    new Promise(resolve => {
      const look = () => away.length >= count && resolve();
      waiting.push(look);
      look();
    });

  it('serves TLS and reports it to the backend and the dispatcher', () =>
    through(
      (request, response) => response.end(String(request.headers['x-forwarded-proto'])),
      async ({ url, exchanges }) => {
        expect((await ask(url, '/', { ca: ca.cert })).text).to.equal('https');
        expect(exchanges[0]).to.include({ secure: true, clientAddress: '127.0.0.1' });
      },
      overTls(),
    ));

  it('carries large bodies both ways', () =>
    through(
      (request, response) => request.pipe(response),
      async ({ url }) => {
        const body = Buffer.alloc(1024 * 1024, 'x');
        const answer = await ask(url, '/', { method: 'POST', body, ca: ca.cert });
        expect(answer.body.equals(body)).to.equal(true);
      },
      overTls(),
    ));

  it('passes the certificate check of curl', () =>
    through(
      (_, response) => response.end('served'),
      ({ url }) =>
        withFolder(async write => {
          const args = ['--silent', '--show-error', '--cacert', write('ca.pem', ca.cert), url];
          expect((await curl('curl', args)).stdout).to.equal('served');
        }),
      overTls(),
    ));

  it('tunnels a WebSocket', () => {
    const sockets = new WebSocketServer({ noServer: true });
    sockets.on('connection', socket => socket.on('message', data => socket.send(data)));
    return withToys([undefined], async toy => {
      toy.server.on('upgrade', (request, socket, head) =>
        sockets.handleUpgrade(request, socket, head, client => sockets.emit('connection', client)),
      );
      const use = async ({ url }: RunningEngine) => {
        const client = new WebSocket(url.replace('https:', 'wss:'), { ca: ca.cert });
        await once(client, 'open');
        client.send('hello');
        const [echo] = await once(client, 'message');
        expect(String(echo)).to.equal('hello');
        client.close();
        await once(client, 'close');
      };
      await withEngine(make, [toy.url], use, overTls());
    });
  });

  it('resets the connection when an answer without a length is cut', () =>
    withTcp(
      socket => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\nhalf of', () => setTimeout(() => socket.resetAndDestroy(), 20));
        });
      },
      backend =>
        withEngine(
          make,
          [backend],
          ({ url }) =>
            withFolder(async write => {
              const args = ['--silent', '--http1.0', '--cacert', write('ca.pem', ca.cert), url];
              const error = await curl('curl', args).catch(error => error);
              expect(error).to.include({ code: 56 });
            }),
          overTls(),
        ),
    ));

  it('accepts only TLS 1.2 and 1.3 and only HTTP/1.x', () =>
    through(
      (_, response) => response.end(),
      async ({ url }) => {
        const protocol = async (options: ConnectionOptions) => {
          const done = await shakeHands(url, { ca: ca.cert, ...options });
          if (done instanceof Error) return undefined;
          const spoken = `${done.getProtocol()} ${done.alpnProtocol}`;
          done.destroy();
          return spoken;
        };
        expect(await protocol({})).to.equal('TLSv1.3 false');
        expect(await protocol({ ALPNProtocols: ['h2', 'http/1.1'] })).to.equal('TLSv1.3 http/1.1');
        expect(await protocol({ ALPNProtocols: ['http/1.0'] })).to.equal('TLSv1.3 http/1.0');
        expect(await protocol({ ALPNProtocols: ['h2'] })).to.equal(undefined);
        expect(await protocol({ maxVersion: 'TLSv1.2' })).to.equal('TLSv1.2 false');
        const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
        expect(await protocol(old)).to.equal(undefined);
        // Neither forward secrecy nor authenticated encryption.
        const weak = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' } as const;
        expect(await protocol(weak)).to.equal(undefined);
      },
      overTls(),
    ));

  it('never renegotiates', () =>
    through(
      (_, response) => response.end('served'),
      async ({ url }) => {
        const socket = await shakeHands(url, { ca: ca.cert, maxVersion: 'TLSv1.2' });
        if (socket instanceof Error) throw socket;
        const refused = once(socket, 'error');
        socket.renegotiate({}, () => {});
        expect((await refused)[0])
          .to.have.property('message')
          .that.matches(/no.renegotiation/i);
        expect((await ask(url, '/', { ca: ca.cert })).text).to.equal('served');
      },
      overTls(),
    ));

  it('counts connections without TLS, but not silent ones', () =>
    through(
      (_, response) => response.end('served'),
      async ({ url }) => {
        await closedAfter(url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
        const torn = plain(url);
        torn.end(Buffer.from('1603010200010001fc0303', 'hex'));
        await once(torn.resume(), 'close');
        const silent = plain(url);
        await once(silent, 'connect');
        silent.end();
        await once(silent.resume(), 'close');
        expect((await ask(url, '/', { ca: ca.cert })).text).to.equal('served');
        expect(away).to.deep.equal(['tls-handshake', 'tls-handshake']);
      },
      overTls(),
    ));

  it('ends a stalled handshake and blocks no other connection meanwhile', () =>
    through(
      (_, response) => response.end('served'),
      async ({ url }) => {
        const slow = Array.from({ length: 20 }, () => plain(url));
        for (const socket of slow) socket.resume().write(Buffer.from('1603010200010001fc0303', 'hex'));
        const closed = Promise.all(slow.map(socket => once(socket, 'close')));
        expect((await ask(url, '/', { ca: ca.cert })).text).to.equal('served');
        expect(away).to.deep.equal([]);
        await Promise.all([closed, turnedAway(20)]);
        expect(away).to.deep.equal(Array(20).fill('tls-handshake-late'));
      },
      overTls(1500),
    ));

  it('closes unfinished handshakes on close', () =>
    through(
      (_, response) => response.end(),
      async ({ url, close }) => {
        const slow = plain(url);
        await once(slow, 'connect');
        // The slow connection has been accepted, because a later one was served.
        await ask(url, '/', { ca: ca.cert });
        await Promise.all([close(60_000), once(slow.resume(), 'close')]);
      },
      // Longer than the test may take.
      overTls(60_000),
    ));

  it('changes the certificate for new connections and keeps open ones', () =>
    through(
      (_, response) => response.end('served'),
      async ({ url, reloadTls }) => {
        const next = await issue(ca, { names: ['next.example'] });
        const agent = new Agent({ ca: ca.cert, keepAlive: true, maxSockets: 1 });
        const sockets: TLSSocket[] = [];
        agent.on('keylog', (_, socket) => sockets.push(socket));
        const names = async () => {
          const socket = await shakeHands(url, { ca: ca.cert, servername: '' });
          if (socket instanceof Error) throw socket;
          const { CN } = socket.getPeerCertificate().subject;
          socket.destroy();
          return CN;
        };
        expect((await ask(url, '/', { agent })).text).to.equal('served');
        expect(await names()).to.equal('localhost');
        reloadTls(next);
        expect((await ask(url, '/', { agent })).text).to.equal('served');
        expect(new Set(sockets).size, 'connections of the agent').to.equal(1);
        expect(await names()).to.equal('next.example');
        // Tickets of the old certificate are rejected.
        expect(() => reloadTls({ cert: pair.cert, key: next.key })).to.throw(/key values mismatch/);
        expect(await names()).to.equal('next.example');
        agent.destroy();
      },
      overTls(),
    ));
}
