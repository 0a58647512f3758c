import { Agent, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { ask, raw } from '../ask.js';
import { withTcp, withToys } from '../toy-backend.js';
import { throughWith, withEngine } from './with-engine.js';

/** Tests the bodies that go through an engine. */
export function itCarriesBodies(make: EngineFactory): void {
  const through = throughWith(make);

  describe('bodies', () => {
    const big = Buffer.alloc(3 * 1024 * 1024, 'holdfast ');
    const echo: RequestListener = (request, response) => {
      response.setHeader('x-framing', request.headers['content-length'] ?? request.headers['transfer-encoding'] ?? '');
      request.pipe(response);
    };

    for (const [what, body] of Object.entries({ small: Buffer.from('hello'), empty: Buffer.alloc(0), big })) {
      it(`carries a body (${what}) both ways, with a length and in chunks`, () =>
        through(echo, async ({ url }) => {
          const whole = await ask(url, '/', { method: 'POST', body, headers: { 'content-length': body.length } });
          expect(whole.body.equals(body)).to.equal(true);
          expect(whole.headers['x-framing']).to.equal(String(body.length));
          const halves = [body.subarray(0, body.length / 2), body.subarray(body.length / 2)];
          const headers = { 'transfer-encoding': 'chunked' };
          const chunked = await ask(url, '/', { method: 'PUT', body: halves, headers });
          expect(chunked.body.equals(body)).to.equal(true);
          expect(chunked.headers['x-framing']).to.equal('chunked');
        }));
    }

    for (const method of ['DELETE', 'OPTIONS', 'GET']) {
      it(`does not let the backend read the chunked body of ${method} as a request`, () =>
        withToys([echo], async toy => {
          if (toy === undefined) return;
          await withEngine(make, [toy.url], async ({ url }) => {
            const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
            const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
            const head = `${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
            const answer = await raw(url, head + chunk);
            expect(answer).to.contain('GET /hidden');
            await ask(url, '/after');
            expect(toy.seen.map(request => request.url)).to.deep.equal(['/', '/after']);
          });
        }));
    }

    it('sends no body with answers to HEAD, 204 and 304', () =>
      through(
        (request, response) => {
          const status = Number(request.url?.slice(1));
          response.writeHead(status, status === 200 ? { 'content-length': '1000' } : { etag: '"1"' }).end();
        },
        async ({ url }) => {
          const agent = new Agent({ keepAlive: true, maxSockets: 1 });
          const head = await ask(url, '/200', { method: 'HEAD', agent });
          expect([head.status, head.headers['content-length'], head.body.length]).to.deep.equal([200, '1000', 0]);
          for (const status of [204, 304]) {
            const answer = await ask(url, `/${status}`, { agent });
            expect([answer.status, answer.headers.etag, answer.body.length]).to.deep.equal([status, '"1"', 0]);
          }
          agent.destroy();
        },
      ));

    it('drops the forbidden length of a 204', () =>
      withTcp(
        socket => socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n')),
        url =>
          withEngine(make, [url], async engine => {
            expect((await ask(engine.url, '/')).headers).to.not.have.property('content-length');
          }),
      ));

    it('forwards an interim answer, but not to an HTTP/1.0 client', () => {
      const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nKeep-Alive: timeout=1\r\n\r\n';
      return withTcp(
        socket => socket.on('data', () => socket.write(`${hints}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`)),
        url =>
          withEngine(make, [url], async engine => {
            const get = (version: string) => `GET / HTTP/${version}\r\nHost: x\r\nConnection: close\r\n\r\n`;
            expect(await raw(engine.url, get('1.1'))).to.match(
              /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
            );
            expect(await raw(engine.url, get('1.0'))).to.match(/^HTTP\/1\.1 200 OK\r\n/);
          }),
      );
    });

    it('serves pipelined requests one after the other', () => {
      let open = 0;
      return through(
        (_, response) => {
          open += 1;
          setTimeout(() => response.end(`${open--} open`), 30);
        },
        async ({ url }) => {
          const get = (last: string) => `GET / HTTP/1.1\r\nHost: x\r\n${last}\r\n`;
          const answers = await raw(url, get('') + get('') + get('Connection: close\r\n'));
          expect(answers.match(/\d open/g)).to.deep.equal(['1 open', '1 open', '1 open']);
        },
      );
    });

    it('starts no pipelined request of a client that has left', () =>
      through(
        () => {},
        async ({ url, arrived, settled, exchanges }) => {
          const { hostname, port } = new URL(url);
          const socket = connect(Number(port), hostname);
          socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
          await arrived(1);
          socket.resetAndDestroy();
          expect(await settled(1)).to.deep.equal([{ kind: 'abandoned' }]);
          expect(exchanges).to.have.length(1);
        },
      ));

    it('forwards the trailers of a chunked answer', () =>
      through(
        (_, response) => {
          response.writeHead(200, { trailer: 'x-sum' });
          response.write('body');
          response.addTrailers({ 'x-sum': '42' });
          response.end();
        },
        async ({ url }) => {
          expect((await ask(url, '/')).trailers).to.deep.equal({ 'x-sum': '42' });
        },
      ));

    it('accepts an answer that ends with its connection', () =>
      withTcp(
        socket => socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nuntil the end')),
        url =>
          withEngine(make, [url], async engine => {
            expect((await ask(engine.url, '/')).text).to.equal('until the end');
            expect(await engine.settled(1)).to.deep.equal([{ kind: 'answered', status: 200 }]);
          }),
      ));

    it('forwards the head before the body arrives', () =>
      through(
        (_, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.flushHeaders();
        },
        async ({ url }) => {
          const { hostname, port } = new URL(url);
          const socket = connect(Number(port), hostname);
          socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
          const head = await new Promise<Buffer>(resolve => socket.once('data', resolve));
          expect(head.toString()).to.match(/^HTTP\/1\.1 200 OK\r\n/);
          socket.destroy();
        },
      ));

    it('sends 100 to a client that expects it', () =>
      through(echo, async ({ url }) => {
        const head =
          'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
        const { hostname, port } = new URL(url);
        const socket = connect(Number(port), hostname);
        let got = '';
        socket.on('data', data => {
          if (got === '') socket.write('hello');
          got += data;
        });
        socket.write(head);
        await new Promise(resolve => socket.once('close', resolve));
        expect(got).to.match(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
        expect(got).to.contain('hello');
      }));
  });
}
