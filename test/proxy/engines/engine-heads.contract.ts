import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { ask, raw } from '../ask.js';
import type { Shortfalls } from '../shortfalls.js';
import { withTcp } from '../toy-backend.js';
import { noEdits, throughWith, withEngine } from './with-engine.js';

/** Tests the heads that go through an engine. */
export function itCarriesHeads(make: EngineFactory, shortfalls: Shortfalls): void {
  const through = throughWith(make);

  describe('heads', () => {
    it('forwards methods, targets and statuses unchanged', () =>
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

    it('keeps every Set-Cookie line separate, and adds its own', () =>
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

    it('replaces an answer field that the dispatcher sets', () =>
      through(
        (_, response) => response.writeHead(200, { 'Cache-Control': 'public' }).end(),
        async ({ url }) => {
          const answer = await ask(url, '/');
          expect(answer.rawHeaders.filter(name => name.toLowerCase() === 'cache-control')).to.have.length(1);
          expect(answer.headers['cache-control']).to.equal('private');
        },
        { edits: { ...noEdits, onAnswer: () => [['cache-control', 'private']] } },
      ));

    it('removes hop-by-hop fields in both directions', () =>
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

    it('does not forward an offer of another protocol', () =>
      through(
        (_, response) => response.writeHead(200, { connection: 'Upgrade', upgrade: 'h2,h2c' }).end(),
        async ({ url }) => {
          expect((await ask(url, '/')).headers).to.not.have.property('upgrade');
        },
      ));

    shortfalls.it('a body behind an offer of h2c', 'serves a request and ignores its offer of h2c', () =>
      through(
        async (request, response) => response.end(await text(request)),
        async ({ url }) => {
          const offer =
            'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__';
          const answer = await raw(url, `POST / HTTP/1.1\r\nHost: x\r\n${offer}\r\nContent-Length: 3\r\n\r\nabc`);
          expect(answer).to.match(/^HTTP\/1\.1 200 .*\r\n\r\n[\s\S]*abc/s);
        },
      ),
    );

    shortfalls.it('a head ahead of its body', 'forwards the head of a request before its body arrives', async () => {
      let seen = '';
      await withTcp(
        socket => socket.once('data', data => (seen = String(data))),
        backend =>
          withEngine(make, [backend], async ({ url }) => {
            const { hostname, port } = new URL(url);
            const client = connect(Number(port), hostname);
            client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n');
            await waitUntil(async () => seen !== '', 500);
            expect(seen).to.match(/^POST \/ HTTP\/1\.1\r\n/);
            client.destroy();
          }),
      );
    });

    it('sets the forwarding fields and ignores those of clients', () =>
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

    it('believes a trusted proxy about its client, and copies nothing else', () =>
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

    it('takes the host from a target in absolute form, not from the Host field', () =>
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

    it('edits the request: sets fields, removes every copy, removes one cookie', () =>
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

    it('removes a Proxy-Status that claims to be ours, and no other', () =>
      through(
        (request, response) => response.setHeader('proxy-status', request.url?.slice(1) ?? '').end(),
        async ({ url }) => {
          expect((await ask(url, '/holdfast;error=x')).headers).to.not.have.property('proxy-status');
          expect((await ask(url, '/cdn,holdfast')).headers).to.not.have.property('proxy-status');
          expect((await ask(url, '/cdn;error=x')).headers['proxy-status']).to.equal('cdn;error=x');
        },
      ));

    it('offers the exchange unchanged', () =>
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

    it('reads any request header, several lines as one', () =>
      withEngine(make, [], async ({ url, arrived }) => {
        await ask(url, '/', { headers: { 'X-Shard': ['a', 'b, c'], 'user-agent': 'it', constructor: '1' } });
        const [exchange] = await arrived(1);
        expect(exchange?.header('x-shard')).to.equal('a, b, c');
        expect(exchange?.header('user-agent')).to.equal('it');
        expect(exchange?.header('constructor')).to.equal('1');
        for (const name of ['x-shar', 'tostring', '__proto__']) expect(exchange?.header(name)).to.equal(undefined);
      }));
  });
}
