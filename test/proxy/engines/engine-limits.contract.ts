import { once } from 'node:events';
import { Agent, type RequestListener, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { ask, raw } from '../ask.js';
import { withRecorder } from '../recording-backend.js';
import { withTcp, withToys } from '../toy-backend.js';
import { connectTo } from './engine-patience.contract.js';
import { throughWith, withEngine } from './with-engine.js';

/** Tests the limits that an engine enforces, and how it closes. */
export function itKeepsLimits(make: EngineFactory): void {
  const through = throughWith(make);

  describe('limits', () => {
    const ok: RequestListener = (_, response) => response.end('ok');
    const get = (fields: string) => `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`;

    it('returns 431 for a head that is too long or has too many fields, not for one field less', () =>
      through(ok, async ({ url, exchanges }) => {
        expect(await raw(url, get(`X: ${'x'.repeat(17_000)}\r\n`))).to.match(/^HTTP\/1\.1 431 /);
        expect(await raw(url, get('X: 1\r\n'.repeat(99)))).to.match(/^HTTP\/1\.1 431 /);
        expect(exchanges).to.deep.equal([]);
        expect(await raw(url, get('X: 1\r\n'.repeat(98)))).to.match(/^HTTP\/1\.1 200 /);
      }));

    it('accepts every valid kind of Host', () =>
      through(ok, async ({ url }) => {
        for (const host of ['a_b.example', 'x:80', '127.0.0.1:8080', '[::1]', '[::1]:8080', 'x%20y']) {
          const answer = await raw(url, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
          expect(answer, host).to.match(/^HTTP\/1\.1 200 /);
        }
      }));

    it('answers a request in flight before it reports malformed bytes after it', () =>
      through(
        (request, response) => request.on('end', () => response.end('done')).resume(),
        async ({ url }) => {
          const post = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx';
          const answers = await raw(url, `${post}NO HTTP\r\n\r\n`);
          // The malformed bytes may get their own answer after the other; then the connection ends.
          expect(answers).to.match(
            /^HTTP\/1\.1 200 (?:(?!HTTP\/1)[\s\S])*done(?:HTTP\/1\.1 400 [\s\S]*close[\s\S]*)?$/i,
          );
        },
      ));

    it('returns 400 for a malformed body', () =>
      through(
        () => {},
        async ({ url, settled }) => {
          const head = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n';
          expect(await raw(url, `${head}no size\r\n`)).to.match(/^HTTP\/1\.1 400 [\s\S]*outcome=unknown/);
          expect((await settled(1))[0]).to.include({ kind: 'abandoned' });
        },
      ));

    it('closes the connection of an answered client that does not send the rest of its body', () =>
      through(
        (_, response) => response.writeHead(413).end('too large'),
        async ({ url, settled }) => {
          const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf';
          expect(await raw(url, head)).to.match(/^HTTP\/1\.1 413 /);
          expect(await settled(1)).to.deep.equal([{ kind: 'answered', status: 413 }]);
        },
        { limits: { idleBodyMs: 50 } },
      ));

    describe('of the request body', () => {
      const limits = { bodyBytesMax: 10 };
      const head = (framing: string) => `POST / HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n`;
      const chunked = head('Transfer-Encoding: chunked');
      const echo: RequestListener = (request, response) => request.pipe(response);

      it('accepts a body of exactly the limit, with a length and in chunks', () =>
        through(
          echo,
          async ({ url }) => {
            for (const headers of [{ 'content-length': 10 }, { 'transfer-encoding': 'chunked' }]) {
              const body = [Buffer.from('01234'), Buffer.from('56789')];
              expect((await ask(url, '/', { method: 'POST', headers, body })).text).to.equal('0123456789');
            }
          },
          { limits },
        ));

      it('returns 413 for a longer length before anything is sent, and asks for no body', () =>
        through(
          echo,
          async ({ url, exchanges, engineAnswers }) => {
            const answer = await raw(url, head('Content-Length: 11\r\nExpect: 100-continue'));
            expect(answer).to.match(/^HTTP\/1\.1 413 [\s\S]*connection: close[\s\S]*The request body is too long/i);
            expect(exchanges).to.deep.equal([]);
            expect(engineAnswers).to.have.length(1);
            expect(engineAnswers[0]).to.include({ status: 413, cause: 'body-bytes', method: 'POST', path: '/' });
          },
          { limits },
        ));

      it('returns 413 as soon as chunks are longer together, and the request never becomes whole', () =>
        withRecorder(
          () => {},
          ({ url: backend, requests }) =>
            withEngine(
              make,
              [backend],
              async ({ url, settled, engineAnswers }) => {
                const answer = await raw(url, `${chunked}5\r\n01234\r\n6\r\n56789X\r\n0\r\n\r\n`);
                expect(answer).to.match(/^HTTP\/1\.1 413 [\s\S]*outcome=unknown/);
                const own = { status: 413, text: 'The request body is too long.' };
                expect(await settled(1)).to.deep.equal([{ kind: 'abandoned', own }]);
                expect(engineAnswers.map(({ cause }) => cause)).to.deep.equal(['body-bytes']);
                expect(requests).to.deep.equal([]);
              },
              { limits },
            ),
        ));

      it('closes when the answer has begun already', () =>
        through(
          (_, response) => response.write('begun'),
          async ({ url, settled }) => {
            const { hostname, port } = new URL(url);
            const client = connect(Number(port), hostname);
            client.write(`${chunked}5\r\n01234\r\n`);
            await once(client, 'data');
            client.write('6\r\n56789X\r\n');
            await new Promise(resolve => client.on('error', () => {}).once('close', resolve));
            expect(await settled(1)).to.deep.equal([{ kind: 'abandoned' }]);
          },
          { limits },
        ));
    });

    it('keeps at most 256 idle connections to a backend', () => {
      const waiting: ServerResponse[] = [];
      let open = 0;
      return withToys([(_, response) => waiting.push(response) === 300 && endAll(waiting)], async ({ server, url }) => {
        server.on('connection', socket => {
          open += 1;
          socket.on('close', () => (open -= 1));
        });
        await withEngine(make, [url], async engine => {
          await Promise.all(Array.from({ length: 300 }, () => ask(engine.url, '/')));
          expect(await waitUntil(async () => open <= 256, 1000)).to.equal(true);
          expect(open).to.equal(256);
        });
      });
    });

    it('returns 408 for a head that does not arrive', () =>
      through(
        ok,
        async ({ url }) => {
          expect(await raw(url, 'GET / HT')).to.match(/^HTTP\/1\.1 408 /);
        },
        { limits: { clientHeadMs: 100 } },
      ));

    it('returns 408 for a body that stops arriving, without a failure of the backend', () =>
      through(
        (request, response) => request.on('end', () => response.end()).resume(),
        async ({ url, settled }) => {
          const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf';
          expect(await raw(url, head)).to.match(/^HTTP\/1\.1 408 /);
          expect((await settled(1))[0]).to.include({ kind: 'abandoned' });
        },
        { limits: { idleBodyMs: 50 } },
      ));

    it('returns 400 for more than four empty lines before a request, however they arrive', () =>
      withEngine(make, [], async ({ url, exchanges, engineAnswers }) => {
        const get = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
        expect(await raw(url, '\r\n'.repeat(4) + get)).to.match(/^HTTP\/1\.1 502 /);
        expect(exchanges).to.have.length(1);
        expect(await raw(url, '\r\n'.repeat(5) + get)).to.match(/^HTTP\/1\.1 400 /);
        const client = connectTo(url);
        client.setNoDelay(true);
        const answer = text(client);
        for (const byte of '\r\n'.repeat(5)) await new Promise(resolve => client.write(byte, resolve));
        expect(await answer).to.match(/^HTTP\/1\.1 400 [\s\S]*Too many empty lines/);
        client.destroy();
        expect(exchanges).to.have.length(1);
        expect(engineAnswers.map(({ cause }) => cause)).to.deep.equal(['malformed', 'malformed']);
      }));

    it('cuts off an answer whose chunk size never ends', () =>
      withTcp(
        socket => {
          const zeros = Buffer.alloc(65_536, '0');
          const flood = (): void => {
            if (socket.write(zeros)) setImmediate(flood);
            else socket.once('drain', flood);
          };
          socket.once('data', () => {
            socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
            socket.once('data', flood);
          });
        },
        backend =>
          withEngine(make, [backend], async ({ url, settled }) => {
            const client = connectTo(url);
            client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1');
            await once(client, 'data');
            client.write('2');
            expect(await settled(1)).to.deep.equal([{ kind: 'cut', reason: 'http_protocol_error' }]);
            client.destroy();
          }),
      ));

    it('is refused with connection_timeout when no peer accepts', async () => {
      // An address of TEST-NET-1 (RFC 5737), which routes nowhere. A system that knows this fails at once.
      await withEngine(
        make,
        [new URL('http://192.0.2.1:81')],
        async ({ url, outcomes }) => {
          await ask(url, '/');
          expect(outcomes[0]?.kind).to.equal('refused');
        },
        { limits: { connectMs: 100 } },
      );
    });
  });

  describe('close', () => {
    it('finishes requests in flight, tells clients to close, and stops accepting', () =>
      through(
        (_, response) => setTimeout(() => response.end('done'), 100),
        async ({ url, close, arrived }) => {
          const agent = new Agent({ keepAlive: true });
          const answer = ask(url, '/', { agent });
          await arrived(1);
          const closed = close(5000);
          expect(await answer).to.include({ status: 200, text: 'done' });
          expect((await answer).headers.connection).to.equal('close');
          await closed;
          const refused = await ask(url, '/').catch(error => error.code);
          expect(refused).to.equal('ECONNREFUSED');
        },
      ));

    it('does not wait for incomplete heads', () =>
      through(
        ({ url }, response) => (url === '/slow' ? setTimeout(() => response.end('done'), 100) : response.end()),
        async ({ url, close, arrived }) => {
          const clients = ['', 'GET / HT', 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET'].map(begun => raw(url, begun));
          await arrived(1);
          const answer = ask(url, '/slow');
          await arrived(2);
          const began = performance.now();
          await close(5000);
          expect(performance.now() - began).to.be.lessThan(4000);
          expect(await answer).to.include({ status: 200, text: 'done' });
          await Promise.allSettled(clients);
        },
      ));

    it('closes an idle connection after its next answer when a successor accepts', () =>
      through(
        (_, response) => void response.end('done'),
        async ({ url, close }) => {
          const [idle, silent] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })];
          const first = await ask(url, '/', { agent: idle });
          expect(first.headers.connection).to.not.equal('close');
          await ask(url, '/', { agent: silent });
          const closed = close(500, true);
          const last = await ask(url, '/', { agent: idle });
          expect(last).to.include({ status: 200, text: 'done' });
          expect(last.headers.connection).to.equal('close');
          // The other connection is closed when the time is over.
          await closed;
          const late = await ask(url, '/', { agent: silent }).catch(error => error.code);
          expect(late).to.be.oneOf(['ECONNREFUSED', 'ECONNRESET']);
        },
      ));

    it('takes new connections and closes each after its answer once it drains its connections', () =>
      through(
        (_, response) => void response.end('done'),
        async ({ url, drainConnections }) => {
          const agent = new Agent({ keepAlive: true });
          await ask(url, '/', { agent });
          drainConnections();
          for (const asked of [{ agent }, {}]) {
            const { status, headers } = await ask(url, '/', asked);
            expect({ status, connection: headers.connection }).to.deep.equal({ status: 200, connection: 'close' });
          }
          expect(Object.keys({ ...agent.sockets, ...agent.freeSockets })).to.deep.equal([]);
        },
      ));

    it('closes everything after the grace period', () =>
      through(
        () => {},
        async ({ url, close, arrived }) => {
          const answer = ask(url, '/').catch(() => 'ended');
          await arrived(1);
          await close(20);
          expect(await answer).to.equal('ended');
        },
      ));
  });
}

function endAll(responses: readonly ServerResponse[]): void {
  for (const response of responses) response.end('ok');
}
