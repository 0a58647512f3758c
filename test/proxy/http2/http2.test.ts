import { once } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:http2';
import { expect } from 'chai';
import { makeDevCertificate } from '#src/proxy/front/tls-pair.js';
import { ask } from '../ask.js';
import { noEdits } from '../engines/with-engine.js';
import { answerOk, withRecorder } from '../recording-backend.js';
import { withTcp, withToys } from '../toy-backend.js';
import { frameTypes, getFields, headers } from './frames.js';
import { askHttp2, codes, withHttp2 } from './with-http2.js';

interface Row {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/** Requests that a backend must not be able to tell apart by their protocol. */
const rows: Readonly<Record<string, Row>> = {
  'a GET': { path: '/a//b/../c%20d?x=//y&z=%E2%82%AC', headers: { accept: 'text/html,*/*;q=0.8', 'x-odd': 'caf\xe9' } },
  'a HEAD': { method: 'HEAD' },
  'an OPTIONS for the server': { method: 'OPTIONS', path: '*' },
  cookies: { headers: { cookie: 'a=1; holdfast=old; b=2' } },
  'the cookie of the proxy alone': { headers: { cookie: 'holdfast=old' } },
  'fields that only a proxy can set': {
    headers: { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', 'holdfast-affinity': '1', via: '1.0 a' },
  },
  'several fields of one name': { headers: { 'x-a': ['1', '2'] } },
  'te: trailers': { headers: { te: 'trailers' } },
  'a body with a length': { method: 'PUT', headers: { 'content-length': '5' }, body: 'hello' },
  'a body without a length': { method: 'POST', body: 'hello' },
  'an empty body': { method: 'POST', headers: { 'content-length': '0' } },
  'a DELETE': { method: 'DELETE' },
};

const edits = {
  ...noEdits,
  request: { 'holdfast-affinity': 'broken; reason=down' },
  ownCookie: 'holdfast',
  onAnswer: () => [['set-cookie', 'holdfast=new'] as const, ['cache-control', 'private'] as const],
};

describe('HTTP/2 and HTTP/1.1', () => {
  for (const [name, { method = 'GET', path = '/', headers = {}, body }] of Object.entries(rows)) {
    it(`send the backend the same request: ${name}`, async () => {
      const { cert: ca } = await makeDevCertificate();
      await withRecorder(answerOk, recorder =>
        withHttp2(
          [recorder.url],
          async front => {
            const parts = body === undefined ? {} : { body: 'content-length' in headers ? body : [Buffer.from(body)] };
            const before = await ask(front.url, path, { method, headers, ca, ...parts });
            const answer = await askHttp2(front.connect(), { ':method': method, ':path': path, ...headers }, body);
            expect(answer).to.include({ status: 200, text: before.text });
            expect(answer.headers['set-cookie']).to.deep.equal(before.headers['set-cookie']);
            const [old, now] = recorder.requests.map(request => ({
              ...request,
              fields: request.fields.map(([field, value]) => [field, value.replace(/^2\.0 h/, '1.1 h')].join(': ')),
            }));
            expect(now?.fields.toSorted()).to.deep.equal(old?.fields.toSorted());
            expect({ ...now, fields: [] }).to.deep.equal({ ...old, fields: [] });
            expect(recorder.problems()).to.deep.equal([]);
          },
          { edits },
        ),
      );
    });
  }
});

describe('HTTP/2', () => {
  it('serves many requests on one connection, and reuses connections to the backend', () =>
    withToys([(request, response) => response.end(request.url)], toy =>
      withHttp2([toy.url], async front => {
        const session = front.connect();
        for (let round = 0; round < 3; round += 1) {
          const paths = Array.from({ length: 50 }, (_, nth) => `/${round}-${nth}`);
          const answers = await Promise.all(paths.map(path => askHttp2(session, { ':path': path })));
          expect(answers.map(({ text }) => text)).to.deep.equal(paths);
        }
        const sockets = new Set(toy.seen.map(({ socket }) => socket));
        expect(sockets.size).to.be.within(1, 50);
        expect(front.exchanges[0]).to.include({ protocol: 'h2', secure: true, clientAddress: '127.0.0.1' });
      }),
    ));

  it('tells the backend the protocol and the client', () =>
    withToys([(request, response) => response.end(JSON.stringify(request.headers))], toy =>
      withHttp2([toy.url], async front => {
        const { text } = await askHttp2(front.connect(), { ':authority': 'shop.example', 'x-forwarded-proto': 'http' });
        expect(JSON.parse(text)).to.include({
          host: 'shop.example',
          via: '2.0 holdfast',
          'x-forwarded-for': '127.0.0.1',
          'x-forwarded-proto': 'https',
          'x-forwarded-host': 'shop.example',
        });
      }),
    ));

  for (const [answer, expected] of [
    ['HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n', { status: 204, text: '' }],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n', { status: 304, text: '' }],
    ['HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nno', { status: 205, text: '' }],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { status: 200, text: '' }],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', { status: 200, text: 'ok' }],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
      { status: 200, text: 'ok' },
    ],
    ['HTTP/1.0 200 OK\r\n\r\nuntil the end', { status: 200, text: 'until the end' }],
    ['HTTP/1.1 200 OK\r\nTE: x\r\nHTTP2-Settings: x\r\nContent-Length: 2\r\n\r\nok', { status: 200, text: 'ok' }],
    ['HTTP/1.1 200 OK\r\n1: x\r\n__proto__: y\r\n%: \xff\r\nContent-Length: 2\r\n\r\nok', { status: 200, text: 'ok' }],
    ['HTTP/1.1 799 Odd\r\nContent-Length: 2\r\n\r\nok', { status: 502, text: 'ok' }],
  ] as const) {
    it(`passes on ${answer.slice(0, 60).replaceAll('\r\n', ' | ')}`, () =>
      withTcp(
        socket => socket.on('data', () => socket.end(answer)),
        url =>
          withHttp2([url], async front => {
            const got = await askHttp2(front.connect());
            expect(got).to.include({ ...expected, code: 0 });
            expect(got.headers).not.to.have.any.keys('connection', 'transfer-encoding', 'te', 'http2-settings');
            expect(await front.settled(1)).to.deep.equal([{ kind: 'answered', status: Number(answer.slice(9, 12)) }]);
          }),
      ));
  }

  it('passes on the head of an answer to HEAD without a body', () =>
    withToys([(_, response) => response.setHeader('content-length', 2000).end()], toy =>
      withHttp2([toy.url], async front => {
        const session = front.connect();
        for (let nth = 0; nth < 2; nth += 1) {
          const answer = await askHttp2(session, { ':method': 'HEAD' });
          expect(answer).to.include({ status: 200, text: '', code: 0 });
          expect(answer.headers).to.include({ 'content-length': '2000' });
        }
        expect(new Set(toy.seen.map(({ socket }) => socket)).size).to.equal(1);
      }),
    ));

  it('passes on early hints', () =>
    withTcp(
      socket =>
        socket.on('data', () =>
          socket.write(
            'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
          ),
        ),
      url =>
        withHttp2([url], async front => {
          expect(await askHttp2(front.connect())).to.deep.include({ status: 200, interim: [103], text: 'ok' });
        }),
    ));

  it('asks for the body of a client that expects it, and not of one that is answered at once', () =>
    withToys([(request, response) => request.pipe(response)], toy =>
      withHttp2([toy.url], async front => {
        const session = front.connect();
        const stream = session.request({ ':method': 'POST', ':path': '/', expect: '100-continue' });
        await once(stream, 'continue');
        stream.end('hello');
        const [head] = await once(stream, 'response');
        expect(head).to.include({ ':status': 200 });
        const refused = await askHttp2(session, { ':method': 'POST', expect: 'tea' }, 'hello');
        expect(refused).to.include({ status: 417, code: 0 });
      }),
    ));

  it('resets a stream whose answer is cut off', () =>
    withTcp(
      socket => socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')),
      url =>
        withHttp2([url], async front => {
          const session = front.connect();
          expect(await askHttp2(session)).to.deep.include({ status: 200, text: 'half', code: 2 });
          expect(await front.settled(1)).to.deep.equal([{ kind: 'cut', reason: 'connection_terminated' }]);
          expect(session.destroyed).to.equal(false);
        }),
    ));

  it('never ends the stream of an answer in chunks that is cut off', () =>
    withTcp(
      socket =>
        socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')),
      url =>
        withHttp2([url], async front => {
          const client = await front.connectRaw();
          client.send(headers(1, getFields()));
          expect(await client.resetOf(1)).to.equal(codes.NGHTTP2_INTERNAL_ERROR);
          expect(client.frames.filter(({ type, flags }) => type === frameTypes.data && flags !== 0)).to.deep.equal([]);
          expect(client.frames.findLast(({ type }) => type === frameTypes.data)?.payload.toString()).to.equal('half');
        }),
    ));

  it('answers 502 and keeps the connection when no backend answers', () =>
    withTcp(
      socket => socket.destroy(),
      url =>
        withHttp2([url], async front => {
          const session = front.connect();
          const answer = await askHttp2(session);
          expect(answer).to.include({ status: 502, text: 'no backend answered\n', code: 0 });
          expect(answer.headers).to.include({ 'x-own': 'yes', 'cache-control': 'no-store' });
          expect(await askHttp2(session, { ':method': 'HEAD' })).to.include({ status: 502, text: '' });
        }),
    ));

  it('answers 408 when a body does not arrive in time', () =>
    withToys([() => {}], toy =>
      withHttp2(
        [toy.url],
        async front => {
          const stream = front.connect().request({ ':method': 'POST', ':path': '/', 'content-length': 9 });
          stream.on('error', () => {}).write('half');
          const [head] = await once(stream, 'response');
          expect(head).to.include({ ':status': 408 });
          const own = { status: 408, text: 'The request body did not arrive in time.' };
          expect(await front.settled(1)).to.deep.equal([{ kind: 'abandoned', own }]);
        },
        { limits: { idleBodyMs: 200 } },
      ),
    ));

  it('answers 431 to a head over the limit and goes on', () =>
    withToys([undefined], toy =>
      withHttp2(
        [toy.url],
        async front => {
          const session = front.connect();
          expect(await askHttp2(session, { 'x-a': 'a'.repeat(5000) })).to.include({ status: 431, code: 0 });
          expect(await askHttp2(session)).to.include({ status: 200 });
          expect(front.refused).to.deep.equal(['head-too-large']);
        },
        { limits: { headerBytesMax: 4096 } },
      ),
    ));

  it('passes on a head of an answer as long as the limit allows', () =>
    withToys([(_, response) => response.setHeader('x-long', 'a'.repeat(100_000)).end('ok')], toy =>
      withHttp2(
        [toy.url],
        async front => {
          const session = connect(front.url, { rejectUnauthorized: false, settings: { maxHeaderListSize: 500_000 } });
          const answer = await askHttp2(session);
          expect(answer.headers['x-long']).to.have.length(100_000);
          session.destroy();
        },
        { limits: { headerBytesMax: 200_000 } },
      ),
    ));

  it('sends a small body again to the next backend', () =>
    withTcp(
      socket => socket.on('data', bytes => bytes.includes('hello') && socket.destroy()),
      url =>
        withToys([(request, response) => request.pipe(response)], toy =>
          withHttp2([url, toy.url], async front => {
            const answer = await askHttp2(front.connect(), { ':method': 'PUT' }, 'hello');
            expect(answer).to.include({ status: 200, text: 'hello' });
            expect(front.outcomes[0]).to.deep.equal({ kind: 'broken-off', reason: 'connection_terminated' });
          }),
        ),
    ));
});
