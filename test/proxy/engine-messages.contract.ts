import { Agent, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { ask, raw } from './ask.js';
import { withTcp, withToys } from './toy-backend.js';
import { noEdits, throughWith, withEngine } from './with-engine.js';

/** What goes through an engine, and what it looks like on the other side. */
export function itCarriesMessages(make: EngineFactory): void {
  const through = throughWith(make);

  describe('heads', () => {
    it('passes on methods, targets and statuses as they are', () =>
      through(
        (request, response) => {
          request.resume();
          response.writeHead(299, 'Fine By Me', { 'x-saw': `${request.method} ${request.url}` }).end();
        },
        async ({ url }) => {
          for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
            const answer = await ask(url, '/a//b/../c%20d?x=//y&x=http://z', { method });
            expect(answer.status).to.equal(299);
            expect(answer.headers['x-saw']).to.equal(`${method} /a//b/../c%20d?x=//y&x=http://z`);
          }
        },
      ));

    it('keeps every Set-Cookie line on its own, and adds to them', () =>
      through(
        (_, response) => response.writeHead(200, { 'set-cookie': ['a=1; Path=/', 'b=2, still b'] }).end(),
        async ({ url }) => {
          const answer = await ask(url, '/');
          expect(answer.headers['set-cookie']).to.deep.equal(['a=1; Path=/', 'b=2, still b', 'ours=3']);
          expect(answer.headers['cache-control']).to.equal('private');
        },
        {
          edits: {
            ...noEdits,
            onAnswer: () => [
              ['set-cookie', 'ours=3'],
              ['cache-control', 'private'],
            ],
          },
        },
      ));

    it('replaces a field of the answer that the heart sets', () =>
      through(
        (_, response) => response.writeHead(200, { 'Cache-Control': 'public' }).end(),
        async ({ url }) => {
          const answer = await ask(url, '/');
          expect(answer.rawHeaders.filter(name => name.toLowerCase() === 'cache-control')).to.have.length(1);
          expect(answer.headers['cache-control']).to.equal('private');
        },
        { edits: { ...noEdits, onAnswer: () => [['cache-control', 'private']] } },
      ));

    it('removes what is meant for one hop, in both directions', () =>
      through(
        (request, response) => {
          response.setHeader('connection', 'x-hop, keep-alive');
          response.setHeader('x-hop', 'backend');
          response.setHeader('keep-alive', 'timeout=9');
          response.end(JSON.stringify(request.headers));
        },
        async ({ url }) => {
          const headers = { connection: 'X-Secret, keep-alive', 'x-secret': '1', te: 'trailers', 'x-kept': '2' };
          const answer = await ask(url, '/', { headers });
          const seen = JSON.parse(answer.text);
          expect(seen).to.include({ 'x-kept': '2' });
          expect(seen).to.not.have.any.keys('x-secret', 'te');
          expect(answer.headers).to.not.have.property('x-hop');
          expect(answer.headers['keep-alive']).to.not.equal('timeout=9');
        },
      ));

    it('passes on no offer of another protocol, which is meant for one hop too', () =>
      through(
        (_, response) => response.writeHead(200, { connection: 'Upgrade', upgrade: 'h2,h2c' }).end(),
        async ({ url }) => {
          expect((await ask(url, '/')).headers).to.not.have.property('upgrade');
        },
      ));

    it('says who forwarded for whom, and believes no client that says so', () =>
      through(
        (request, response) => response.end(JSON.stringify(request.headers)),
        async ({ url }) => {
          const headers = {
            host: 'shop.example',
            via: '1.0 other',
            forwarded: 'for=6.6.6.6',
            'x-forwarded-for': '6.6.6.6',
            'x-forwarded-host': 'evil.example',
            'x-forwarded-proto': 'https',
          };
          const seen = JSON.parse((await ask(url, '/', { headers })).text);
          expect(seen).to.include({
            host: 'shop.example',
            via: '1.0 other, 1.1 holdfast',
            'x-forwarded-for': '127.0.0.1',
            'x-forwarded-host': 'shop.example',
            'x-forwarded-proto': 'http',
          });
          expect(seen).to.not.have.property('forwarded');
        },
      ));

    it('believes a trusted proxy in front about its client, and takes over nothing else of it', () =>
      through(
        (request, response) => response.end(JSON.stringify(request.headers)),
        async ({ url, exchanges }) => {
          const asked = async (proto: string) => {
            const headers = { host: 'shop.example', 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': proto };
            return JSON.parse(
              (await ask(url, '/', { headers: { ...headers, 'x-forwarded-host': 'evil.example' } })).text,
            );
          };
          expect(await asked('https')).to.include({
            'x-forwarded-for': '6.6.6.6, 127.0.0.1',
            'x-forwarded-host': 'shop.example',
            'x-forwarded-proto': 'https',
          });
          expect(await asked('http')).to.include({ 'x-forwarded-proto': 'http' });
          expect(await asked('https, http')).to.include({ 'x-forwarded-proto': 'http' });
          expect(exchanges.map(({ secure }) => secure)).to.deep.equal([true, false, false]);
        },
        { trusted: ['127.0.0.0/8'] },
      ));

    it('takes the host from a target in absolute form, and not from the Host field', () =>
      through(
        (request, response) => response.end(`${request.headers.host} ${request.url}`),
        async ({ url }) => {
          const answer = await raw(
            url,
            'GET http://true.example/x?y HTTP/1.1\r\nHost: false.example\r\nConnection: close\r\n\r\n',
          );
          expect(answer).to.match(/true\.example \/x\?y$/);
        },
      ));

    it('edits the request: sets, removes every copy, takes one cookie out', () =>
      through(
        (request, response) => response.end(JSON.stringify(request.headers)),
        async ({ url }) => {
          const headers = { 'x-gone': ['1', '2'], cookie: 'a=1; mine=x.y; xmine=2; mine=z' };
          const seen = JSON.parse((await ask(url, '/', { headers })).text);
          expect(seen).to.include({ 'x-set': 'yes', cookie: 'a=1; xmine=2' });
          expect(seen).to.not.have.property('x-gone');
          const alone = JSON.parse((await ask(url, '/', { headers: { cookie: 'mine=1' } })).text);
          expect(alone).to.not.have.property('cookie');
        },
        { edits: { ...noEdits, request: { 'x-set': 'yes', 'x-gone': undefined }, ownCookie: 'mine' } },
      ));

    it('removes a proxy-status in which a backend speaks for the proxy, and no other', () =>
      through(
        (request, response) => response.setHeader('proxy-status', request.url?.slice(1) ?? '').end(),
        async ({ url }) => {
          expect((await ask(url, '/holdfast;error=x')).headers).to.not.have.property('proxy-status');
          expect((await ask(url, '/cdn,holdfast')).headers).to.not.have.property('proxy-status');
          expect((await ask(url, '/cdn;error=x')).headers['proxy-status']).to.equal('cdn;error=x');
        },
      ));

    it('offers the exchange as it came', () =>
      through(
        (_, response) => response.end(),
        async ({ url, arrived }) => {
          await ask(url, '/x?y', { headers: { cookie: 'b=2; a="1=1" ;ab=3' } });
          const [exchange] = await arrived(1);
          expect(exchange).to.include({ method: 'GET', path: '/x?y', clientAddress: '127.0.0.1', secure: false });
          expect(exchange?.cookie('a')).to.equal('"1=1"');
          expect(exchange?.cookie('b')).to.equal('2');
          expect(exchange?.cookie('c')).to.equal(undefined);
          expect(exchange?.upgrade).to.equal(false);
        },
      ));

    it('shows any header of the request, several lines as one', () =>
      withEngine(make, [], async ({ url, arrived }) => {
        await ask(url, '/', { headers: { 'X-Shard': ['a', 'b, c'], 'user-agent': 'it', constructor: '1' } });
        const [exchange] = await arrived(1);
        expect(exchange?.header('x-shard')).to.equal('a, b, c');
        expect(exchange?.header('user-agent')).to.equal('it');
        expect(exchange?.header('constructor')).to.equal('1');
        for (const name of ['x-shar', 'tostring', '__proto__']) expect(exchange?.header(name)).to.equal(undefined);
      }));
  });

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
      it(`does not let the chunked body of ${method} become a request of its own`, () =>
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

    it('has no body in answers to HEAD, and in 204 and 304', () =>
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

    it('drops a length that a 204 must not have', () =>
      withTcp(
        socket => socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n')),
        url =>
          withEngine(make, [url], async engine => {
            expect((await ask(engine.url, '/')).headers).to.not.have.property('content-length');
          }),
      ));

    it('passes on an interim answer, but not to a client of HTTP/1.0', () => {
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

    it('carries out pipelined requests one after the other', () => {
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

    it('begins nothing for a client that is gone before its turn', () =>
      through(
        () => {},
        async ({ url, arrived, settled, exchanges }) => {
          const { hostname, port } = new URL(url);
          const socket = connect(Number(port), hostname);
          socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
          await arrived(1);
          socket.destroy();
          expect(await settled(1)).to.deep.equal([{ kind: 'abandoned' }]);
          expect(exchanges).to.have.length(1);
        },
      ));

    it('passes on trailers of a chunked answer', () =>
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

    it('takes an answer that ends with its connection', () =>
      withTcp(
        socket => socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nuntil the end')),
        url =>
          withEngine(make, [url], async engine => {
            expect((await ask(engine.url, '/')).text).to.equal('until the end');
            expect(await engine.settled(1)).to.deep.equal([{ kind: 'answered', status: 200 }]);
          }),
      ));

    it('sends the head on while the body is still to come', () =>
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

    it('lets a client that expects 100 go on', () =>
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
