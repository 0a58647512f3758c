import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import type { FrontSettings, TurnedAway } from '#src/proxy/front/frontend.js';
import type { TlsPair } from '#src/proxy/front/tls-pair.js';
import { ask, raw } from '../ask.js';
import { authority, issue } from '../certificates.js';
import { type EngineTest, throughWith } from '../engines/with-engine.js';

const text = 'PROXY TCP4 192.0.2.7 127.0.0.1 54321 443\r\n';
const binary = Buffer.from('0d0a0d0a000d0a515549540a' + '2111000c' + 'c0000207' + '7f000001' + 'd43101bb', 'hex');
const local = Buffer.from('0d0a0d0a000d0a515549540a' + '20000000', 'hex');
const request = 'GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n';

/**
 * A TCP load balancer. It writes `header` first and forwards the rest. Its first bytes go out in two pieces, cut at
 * `at`.
 */
async function withBalancer(target: string, header: Buffer, at: number, use: (url: string) => Promise<void>) {
  const open = new Set<Socket>();
  const server = createServer(client => {
    const proxy = connect({ host: '127.0.0.1', port: Number(new URL(target).port), noDelay: true });
    for (const socket of [client, proxy]) open.add(socket.on('error', () => socket.destroy()));
    client.once('data', async first => {
      client.pause();
      const bytes = Buffer.concat([header, first]);
      await sendCut(proxy, bytes, at);
      client.pipe(proxy);
    });
    proxy.pipe(client);
    client.on('close', () => proxy.destroy());
    proxy.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await use(`${new URL(target).protocol}//127.0.0.1:${port}`);
  } finally {
    for (const socket of open) socket.destroy();
    server.close();
  }
}

/** Sends two pieces so that they arrive apart: the other side, in this process, has its turns between them. */
async function sendCut(socket: Socket, bytes: Buffer, at: number): Promise<void> {
  if (at > 0) socket.write(bytes.subarray(0, at));
  for (let turns = 0; turns < 5; turns += 1) await turn();
  socket.write(bytes.subarray(at));
}

/** Tests how an engine handles connections that begin with a PROXY header. */
export function itTakesProxyHeaders(make: EngineFactory): void {
  const through = throughWith(make);
  let ca: TlsPair;
  let pair: TlsPair;
  let away: TurnedAway[];
  before(async () => {
    ca = await authority('Test authority');
    pair = await issue(ca);
  });
  beforeEach(() => {
    away = [];
  });

  const settings = (more: FrontSettings = {}, trusted = ['127.0.0.1']): EngineTest => ({
    trusted,
    front: { proxyProtocol: true, onTurnedAway: reason => away.push(reason), ...more },
  });
  const tellsClient: Parameters<typeof through>[0] = ({ headers }, response) =>
    response.end(`${headers['x-forwarded-for']} ${headers['x-forwarded-proto']}`);
  const inPlain = (url: string, header: Buffer | string) => raw(url, header.toString('latin1') + request);

  for (const [name, header, client] of [
    ['version 1', Buffer.from(text), '192.0.2.7'],
    ['version 2', binary, '192.0.2.7'],
    ['version 2, LOCAL', local, '127.0.0.1'],
    ['version 1, UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), '127.0.0.1'],
  ] as const) {
    it(`takes the client's address from it: ${name}`, () =>
      through(
        tellsClient,
        async ({ url, exchanges }) => {
          expect(await inPlain(url, header)).to.match(new RegExp(`\r\n${client} http$`));
          expect(exchanges[0]).to.include({ clientAddress: client, secure: false });
        },
        settings(),
      ));
  }

  for (const [name, header] of [
    ['version 1', Buffer.from(text)],
    ['version 2', binary],
  ] as const) {
    it(`accepts ${name} cut at any byte, and a request after it`, () =>
      through(
        tellsClient,
        async ({ url }) => {
          const bytes = Buffer.concat([header, Buffer.from(request)]);
          const cuts = Array.from({ length: bytes.length }, (_, at) => at);
          await Promise.all(
            cuts.map(async at => {
              const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), noDelay: true });
              socket.setEncoding('latin1');
              await once(socket, 'connect');
              await sendCut(socket, bytes, at);
              // It closes after the answer and after any further bytes.
              expect((await socket.toArray()).join(''), `cut at ${at}`).to.contain('192.0.2.7 http');
            }),
          );
          expect(away).to.deep.equal([]);
        },
        settings(),
      ));

    it(`accepts ${name} cut at any byte, and TLS after it`, () =>
      through(
        tellsClient,
        async ({ url, exchanges }) => {
          // Cuts some bytes into the ClientHello too.
          for (let at = 0; at < header.length + 8; at += 1) {
            await withBalancer(url, header, at, async through => {
              expect((await ask(through, '/', { ca: ca.cert })).text, `cut at ${at}`).to.equal('192.0.2.7 https');
            });
          }
          expect(exchanges[0]).to.include({ clientAddress: '192.0.2.7', secure: true });
          expect(away).to.deep.equal([]);
        },
        settings({ tls: { fallback: pair, byHost: new Map() } }),
      ));
  }

  it('trusts a client on the list, but not because its load balancer is on it', () =>
    through(
      tellsClient,
      async ({ url }) => {
        const claims = (header: string) =>
          raw(url, header + request.replace('Host', 'X-Forwarded-Proto: https\r\nX-Forwarded-For: 6.6.6.6\r\nHost'));
        expect(await claims(text)).to.match(/\r\n192\.0\.2\.7 http$/);
        expect(await claims(text.replace('192.0.2.7', '10.1.2.3'))).to.match(/\r\n6\.6\.6\.6, 10\.1\.2\.3 https$/);
      },
      settings({}, ['127.0.0.1', '10.0.0.0/8']),
    ));

  it('closes connections from peers outside the list', () =>
    through(
      tellsClient,
      async ({ url, exchanges }) => {
        expect(await inPlain(url, text).catch(() => '')).to.equal('');
        expect(await raw(url, request).catch(() => '')).to.equal('');
        expect(away).to.deep.equal(['proxy-untrusted', 'proxy-untrusted']);
        expect(exchanges).to.deep.equal([]);
      },
      settings({}, ['10.0.0.0/8']),
    ));

  it('closes connections without a valid header, even from the list', () =>
    through(
      tellsClient,
      async ({ url, exchanges }) => {
        expect(await raw(url, request).catch(() => '')).to.equal('');
        expect(await raw(url, text.replace('TCP4', 'TCP5') + request).catch(() => '')).to.equal('');
        const torn = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
        torn.end(text.slice(0, 20));
        await once(torn.resume(), 'close');
        expect(away).to.deep.equal(['proxy-header', 'proxy-header', 'proxy-header']);
        expect(exchanges).to.deep.equal([]);
      },
      settings(),
    ));

  it('limits the wait for a header, and blocks no other connection meanwhile', () =>
    through(
      tellsClient,
      async ({ url }) => {
        const slow = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
        slow.on('error', () => {}).write(text.slice(0, 20));
        const closed = once(slow.resume(), 'close');
        expect(await inPlain(url, text)).to.contain('192.0.2.7');
        await closed;
        expect(away).to.deep.equal(['proxy-header-late']);
      },
      settings({ proxyHeaderMs: 500 }),
    ));

  it('does not count port checks: silent connections and LOCAL headers', () =>
    through(
      tellsClient,
      async ({ url }) => {
        const silent = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
        silent.end();
        await once(silent.resume(), 'close');
        const own = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
        own.end(local);
        await once(own.resume(), 'close');
        expect(await inPlain(url, text)).to.contain('192.0.2.7');
        expect(away).to.deep.equal([]);
      },
      settings(),
    ));
}
