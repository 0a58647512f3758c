import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import type { TlsPair } from '#src/proxy/front/tls-pair.js';
import { probe } from '#src/proxy/pool/health.js';
import type { BackendTls } from '#src/proxy/sockets.js';
import { ask } from '../ask.js';
import { authority, issue } from '../certificates.js';
import { withTcp } from '../toy-backend.js';
import { withEngine } from './with-engine.js';

interface TlsBackend {
  readonly port: number;
  /** The server names of all handshakes; `false` for a handshake without one. */
  readonly names: (string | false | null)[];
  readonly requests: string[];
}

async function withTlsBackend(pair: TlsPair, use: (backend: TlsBackend) => Promise<void>): Promise<void> {
  const names: TlsBackend['names'] = [];
  const requests: string[] = [];
  const server = createServer(pair, (request, response) => {
    requests.push(String(request.headers.host));
    response.end('served');
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const { servername } = Object.assign({ servername: null }, socket);
    names.push(servername);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await use({ port, names, requests });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Tests how an engine talks to backends over TLS. */
export function itAsksTlsBackends(make: EngineFactory): void {
  let ca: TlsPair;
  let other: TlsPair;
  let pair: TlsPair;
  before(async () => {
    [ca, other] = await Promise.all([authority('Test authority'), authority('Another authority')]);
    pair = await issue(ca, { names: ['localhost', 'backend.example'], addresses: ['127.0.0.1'] });
  });
  const trusting = (ca: string | undefined, servername?: string): BackendTls => ({
    ca,
    rejectUnauthorized: true,
    servername,
  });
  /** Makes one request from a client that names another host. Returns the outcome and what the backend saw. */
  const outcomeAt = async (url: (port: number) => string, backendTls: BackendTls | undefined, given = pair) => {
    let seen: object = {};
    await withTlsBackend(given, async ({ port, names, requests }) => {
      const use = async (engine: { url: string; settled(count: number): Promise<readonly object[]> }) => {
        await ask(engine.url, '/', { headers: { host: 'shop.example' } });
        const [outcome] = await engine.settled(1);
        seen = { outcome, names, requests };
      };
      await withEngine(make, [new URL(url(port))], use, backendTls === undefined ? {} : { backendTls });
    });
    return seen;
  };
  const byName = (port: number) => `https://localhost:${port}`;
  const byAddress = (port: number) => `https://127.0.0.1:${port}`;
  const answered = { kind: 'answered', status: 200 };
  const requests = ['shop.example'];
  const refused = { kind: 'refused', reason: 'tls_certificate_error' };

  it('sends the host of the URL as SNI, whatever host the client names', async () => {
    const seen = await outcomeAt(byName, trusting(ca.cert));
    expect(seen).to.deep.equal({ outcome: answered, names: ['localhost'], requests });
  });

  it('sends no SNI when the URL has an address', async () => {
    const seen = await outcomeAt(byAddress, trusting(ca.cert));
    expect(seen).to.deep.equal({ outcome: answered, names: [false], requests });
  });

  it('sends the given server name as SNI', async () => {
    const seen = await outcomeAt(byAddress, trusting(ca.cert, 'backend.example'));
    expect(seen).to.deep.equal({ outcome: answered, names: ['backend.example'], requests });
  });

  it('sends nothing to a backend with a certificate of another authority', async () => {
    expect(await outcomeAt(byName, trusting(other.cert))).to.deep.include({ outcome: refused, requests: [] });
    expect(await outcomeAt(byName, undefined)).to.deep.include({ outcome: refused, requests: [] });
  });

  it('sends nothing to a backend with a certificate for another name or an expired one', async () => {
    const seen = await outcomeAt(byName, trusting(ca.cert, 'another.example'));
    expect(seen).to.deep.include({ outcome: refused, requests: [] });
    const old = await issue(ca, { fromDay: -9, toDay: -1 });
    expect(await outcomeAt(byName, trusting(ca.cert), old)).to.deep.include({ outcome: refused, requests: [] });
  });

  it('accepts any certificate when verification is off', async () => {
    const insecure = { ca: undefined, rejectUnauthorized: false, servername: undefined };
    expect(await outcomeAt(byName, insecure)).to.deep.include({ outcome: answered, requests });
  });

  it('returns 502 for a backend without TLS', () =>
    withTcp(
      socket => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
      url =>
        withEngine(make, [new URL(url.href.replace('http:', 'https:'))], async engine => {
          expect((await ask(engine.url, '/', { method: 'POST', body: 'x' })).status).to.equal(502);
          expect(await engine.settled(1)).to.deep.equal([{ kind: 'refused', reason: 'tls_protocol_error' }]);
        }),
    ));

  it('reuses connections for clients that name different hosts', () =>
    withTlsBackend(pair, ({ port, names, requests }) =>
      withEngine(
        make,
        [new URL(byName(port))],
        async ({ url }) => {
          const hosts = ['a.example', 'b.example', 'c.example', 'd.example', 'e.example'];
          for (const host of hosts) expect((await ask(url, '/', { headers: { host } })).text).to.equal('served');
          expect(requests).to.deep.equal(hosts);
          // A new connection is opened only if the next request comes before the last connection is back in the pool.
          expect(names.length).to.be.below(hosts.length);
        },
        { backendTls: trusting(ca.cert) },
      ),
    ));

  it('probes under the same rules', () =>
    withTlsBackend(pair, async ({ port, names }) => {
      const probed = (tls?: BackendTls) =>
        probe(new URL(byName(port)), { path: '/health', timeoutMs: 2000 }, new AbortController(), tls);
      expect(await probed(trusting(ca.cert))).to.include({ ok: true });
      expect(names).to.deep.equal(['localhost']);
      expect((await probed(trusting(other.cert))).reason).to.match(/certificate .* --backend-ca/);
      expect((await probed(trusting(ca.cert, 'x.example'))).reason).to.match(/certificate .* --backend-server-name/);
      expect(await probed()).to.include({ ok: false });
    }));
}
