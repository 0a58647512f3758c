import { Agent, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import type { EngineFactory, Outcome } from '#src/proxy/exchange.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { ask, raw } from '../ask.js';
import { countConnecting, withSilentListener } from '../silent-listener.js';
import { deadUrl, startToy, withTcp, withToys } from '../toy-backend.js';
import { withoutDescriptors } from '../without-descriptors.js';
import { throughWith, withEngine } from './with-engine.js';

/** Tests how attempts end, and what may be sent again. */
export function itReportsOutcomes(make: EngineFactory): void {
  const through = throughWith(make);

  describe('outcomes', () => {
    it('answered: the backend answered', () =>
      through(
        (_, response) => response.writeHead(503).end(),
        async ({ url, settled }) => {
          expect((await ask(url, '/')).status).to.equal(503);
          expect(await settled(1)).to.deep.equal([{ kind: 'answered', status: 503 }]);
        },
      ));

    it('refused: the next backend gets the whole body', async () => {
      const dead = await deadUrl();
      const alive = await startToy('alive', (request, response) => request.pipe(response));
      const body = Buffer.alloc(1024 * 1024, 'x');
      try {
        await withEngine(make, [dead, alive.url], async ({ url, settled, exchanges }) => {
          const answer = await ask(url, '/', { method: 'POST', body });
          expect(answer.body.equals(body)).to.equal(true);
          expect(await settled(2)).to.deep.equal([
            { kind: 'refused', reason: 'connection_refused' },
            { kind: 'answered', status: 200 },
          ]);
          expect(exchanges).to.have.length(1);
        });
      } finally {
        await alive.stop();
      }
    });

    it('own-failure: this machine has no descriptor for a connection, and another backend is not tried', () =>
      withToys([(_, response) => response.setHeader('connection', 'close').end('ok')], async ({ url: backend }) => {
        await withEngine(make, [backend], async ({ url, settled }) => {
          const agent = new Agent({ keepAlive: true });
          expect((await ask(url, '/', { agent })).text).to.equal('ok');
          await withoutDescriptors(async () => {
            await ask(url, '/', { agent });
            await ask(url, '/', { agent, method: 'POST', body: 'x' });
          });
          expect((await ask(url, '/', { agent })).text).to.equal('ok');
          const failed: Outcome = { kind: 'own-failure', reason: 'proxy_internal_error' };
          const answered: Outcome = { kind: 'answered', status: 200 };
          expect(await settled(4)).to.deep.equal([answered, failed, failed, answered]);
          agent.destroy();
        });
      }));

    it('refused by all: the proxy sends its own answer with its headers', async () => {
      await withEngine(make, [await deadUrl()], async ({ url }) => {
        const answer = await ask(url, '/', { method: 'POST', body: 'hello' });
        expect(answer.status).to.equal(502);
        expect(answer.text).to.equal('no backend answered\n');
        expect(answer.headers).to.include({ 'x-own': 'yes', 'content-type': 'text/plain; charset=utf-8' });
      });
    });

    it('broken-off: the backend received the request and closed', () =>
      withTcp(
        socket => socket.once('data', () => socket.resetAndDestroy()),
        url =>
          withEngine(make, [url], async engine => {
            expect((await ask(engine.url, '/', { method: 'POST', body: 'x' })).status).to.equal(502);
            expect(engine.outcomes).to.deep.equal([{ kind: 'broken-off', reason: 'connection_terminated' }]);
          }),
      ));

    it('broken-off: no head came in time, with a body and without', () =>
      withTcp(
        socket => socket.resume(),
        url =>
          withEngine(
            make,
            [url],
            async engine => {
              await ask(engine.url, '/');
              await ask(engine.url, '/', { method: 'POST', body: 'x' });
              const late: Outcome = { kind: 'broken-off', reason: 'http_response_timeout' };
              expect(engine.outcomes).to.deep.equal([late, late]);
            },
            { limits: { responseHeadMs: 50 } },
          ),
      ));

    it('broken-off: the answer is not HTTP', () =>
      withTcp(
        socket => socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n\r\n')),
        url =>
          withEngine(make, [url], async engine => {
            await ask(engine.url, '/');
            expect(engine.outcomes).to.deep.equal([{ kind: 'broken-off', reason: 'http_protocol_error' }]);
          }),
      ));

    it('broken-off: a malformed reason phrase is not used in the own answer', () =>
      withTcp(
        socket => socket.on('data', () => socket.write('HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok')),
        url =>
          withEngine(make, [url], async engine => {
            const answer = await raw(engine.url, 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
            expect(answer).to.match(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
            expect(engine.outcomes).to.deep.equal([{ kind: 'broken-off', reason: 'http_protocol_error' }]);
          }),
      ));

    it('broken-off: breakOff works only while the head is awaited', () => {
      let sent = false;
      return withTcp(
        (socket, nth) =>
          socket.once('data', () => {
            sent = true;
            if (nth === 2) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
          }),
        url =>
          withEngine(make, [url, url], async engine => {
            const answer = ask(engine.url, '/');
            const [exchange] = await engine.arrived(1);
            expect(await waitUntil(async () => sent, 1000)).to.equal(true);
            exchange?.breakOff(false);
            expect(engine.outcomes).to.deep.equal([]);
            exchange?.breakOff(true);
            expect(await engine.settled(1)).to.deep.equal([{ kind: 'broken-off', reason: 'marked_down' }]);
            const failed = answer.then(
              () => 'whole',
              () => 'cut',
            );
            await new Promise(resolve => setTimeout(resolve, 50));
            exchange?.breakOff(true);
            expect(engine.outcomes).to.have.length(1);
            await engine.close(0);
            expect(await failed).to.equal('cut');
          }),
      );
    });

    it('refused: breakOff releases any method while the connection is not established', () =>
      withSilentListener(silent =>
        withToys([(request, response) => request.pipe(response)], async alive => {
          await withEngine(make, [silent, alive.url], async engine => {
            const answer = ask(engine.url, '/', { method: 'POST', body: 'all of it' });
            const [exchange] = await engine.arrived(1);
            exchange?.breakOff(false);
            expect((await answer).text).to.equal('all of it');
            expect(await engine.settled(2)).to.deep.equal([
              { kind: 'refused', reason: 'marked_down' },
              { kind: 'answered', status: 200 },
            ]);
            expect(await waitUntil(async () => countConnecting() === 0, 1000)).to.equal(true);
          });
        }),
      ));

    it('abandoned: the client left, and the connection to the backend is given up', () =>
      withSilentListener(silent =>
        withEngine(make, [silent], async engine => {
          const { hostname, port } = new URL(engine.url);
          const client = connect(Number(port), hostname);
          client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
          await engine.arrived(1);
          expect(await waitUntil(async () => countConnecting() === 1, 1000)).to.equal(true);
          client.resetAndDestroy();
          expect(await engine.settled(1)).to.deep.equal([{ kind: 'abandoned' }]);
          expect(await waitUntil(async () => countConnecting() === 0, 1000)).to.equal(true);
        }),
      ));

    it('cut: the answer began and broke, and the client sees it', () =>
      withTcp(
        socket =>
          socket.once('data', () =>
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', () => socket.destroy()),
          ),
        url =>
          withEngine(make, [url, url], async engine => {
            const outcome = await ask(engine.url, '/').then(
              () => 'whole',
              () => 'cut',
            );
            expect(outcome).to.equal('cut');
            expect(await engine.settled(1)).to.deep.equal([{ kind: 'cut', reason: 'connection_terminated' }]);
          }),
      ));

    it('cut: an answer without a length ended with a reset', () =>
      withTcp(
        socket =>
          socket.once('data', () =>
            socket.write('HTTP/1.1 200 OK\r\n\r\nhalf', () => setTimeout(() => socket.resetAndDestroy(), 20)),
          ),
        url =>
          withEngine(make, [url], async engine => {
            const answer = await raw(engine.url, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
            expect(answer).to.match(/half\r\n$/);
            expect(await engine.settled(1)).to.deep.equal([{ kind: 'cut', reason: 'connection_terminated' }]);
          }),
      ));

    it('cut: an HTTP/1.0 client is reset, because a close would look like the end of the body', () =>
      withTcp(
        socket =>
          socket.once('data', () =>
            socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', () => {
              setTimeout(() => socket.destroy(), 20);
            }),
          ),
        url =>
          withEngine(make, [url], async engine => {
            const error = await raw(engine.url, 'GET / HTTP/1.0\r\n\r\n').catch(error => error);
            expect(error).to.include({ code: 'ECONNRESET' });
            expect(await engine.settled(1)).to.deep.equal([{ kind: 'cut', reason: 'connection_terminated' }]);
          }),
      ));

    it('cut: the body stopped moving', () =>
      withTcp(
        socket => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')),
        url =>
          withEngine(
            make,
            [url],
            async engine => {
              await ask(engine.url, '/').catch(() => undefined);
              expect(await engine.settled(1)).to.deep.equal([{ kind: 'cut', reason: 'http_response_timeout' }]);
            },
            { limits: { idleBodyMs: 50 } },
          ),
      ));

    it('abandoned: the client left, and the backend connection is closed', async () => {
      let closed = (): void => {};
      const gone = new Promise<void>(resolve => {
        closed = resolve;
      });
      await withTcp(
        socket => socket.on('end', closed).resume(),
        url =>
          withEngine(make, [url, url], async engine => {
            const { hostname, port } = new URL(engine.url);
            const client = connect(Number(port), hostname);
            client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
            await engine.arrived(1);
            client.resetAndDestroy();
            expect(await engine.settled(1)).to.deep.equal([{ kind: 'abandoned' }]);
            await gone;
          }),
      );
    });

    it('retries a GET on a stale connection without an error', () =>
      withTcp(
        (socket, nth) => {
          socket.once('data', () => {
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
            // The second request on the first connection is reset, as if the idle time had just passed.
            if (nth === 1) socket.once('data', () => socket.resetAndDestroy());
          });
        },
        url =>
          withEngine(make, [url], async engine => {
            expect((await ask(engine.url, '/1')).text).to.equal('ok');
            expect((await ask(engine.url, '/2')).text).to.equal('ok');
            const answered: Outcome = { kind: 'answered', status: 200 };
            expect(await engine.settled(2)).to.deep.equal([answered, answered]);
          }),
      ));

    it('does not retry a POST on a stale connection', () =>
      withTcp(
        socket => {
          socket.once('data', () => {
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
            socket.once('data', () => socket.resetAndDestroy());
          });
        },
        url =>
          withEngine(make, [url], async engine => {
            await ask(engine.url, '/1');
            expect((await ask(engine.url, '/2', { method: 'POST', body: 'x' })).status).to.equal(502);
            expect(engine.outcomes.at(-1)).to.deep.equal({ kind: 'broken-off', reason: 'connection_terminated' });
          }),
      ));
  });

  describe('replay', () => {
    const swallow = (bytes: number) =>
      function onSocket(socket: import('node:net').Socket): void {
        let got = 0;
        socket.on('data', data => {
          got += data.length;
          if (got > bytes) socket.resetAndDestroy();
        });
      };
    const echo: RequestListener = (request, response) => request.pipe(response);

    it('replays a body up to the limit, byte for byte', () =>
      withToys([echo], async toy => {
        const body = Buffer.alloc(64 * 1024, '0123456789');
        await withTcp(swallow(60 * 1024), url =>
          withEngine(make, toy === undefined ? [] : [url, toy.url], async engine => {
            const answer = await ask(engine.url, '/', { method: 'PUT', body });
            expect(answer.body.equals(body)).to.equal(true);
            expect(engine.outcomes[0]).to.deep.equal({ kind: 'broken-off', reason: 'connection_terminated' });
            expect(engine.exchanges[0]?.replayable).to.equal(true);
          }),
        );
      }));

    it('is not replayable above the limit', () =>
      withTcp(swallow(100 * 1024), url =>
        withEngine(make, [url], async engine => {
          const answer = await ask(engine.url, '/', { method: 'PUT', body: Buffer.alloc(1024 * 1024) }).catch(
            () => undefined,
          );
          await engine.settled(1);
          expect(engine.exchanges[0]?.replayable).to.equal(false);
          if (answer !== undefined) expect(answer.status).to.equal(502);
        }),
      ));
  });
}
