import type { RequestListener, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { makeDevCertificate } from '#src/proxy/front/tls-pair.js';
import { withToys } from '../toy-backend.js';
import { withProxy } from '../with-proxy.js';
import { data, headers, postFields } from './frames.js';
import { askHttp2, codes, connectTo, withHttp2 } from './with-http2.js';

const post = { ':method': 'POST', ':path': '/up?x' };
const echo: RequestListener = (request, response) => request.pipe(response);
const limits = { bodyBytesMax: 10 };

describe('HTTP/2: answers of the engine itself', () => {
  for (const [what, fields, status, cause] of [
    ['two hosts', { ':authority': 'x', host: 'y' }, 400, 'malformed'],
    ['an unknown method', { ':method': 'BREW' }, 501, 'method'],
    ['a head that is too long', { x: 'x'.repeat(17_000) }, 431, 'header-bytes'],
    ['a target that is too long', { ':path': `/a?${'x'.repeat(17_000)}` }, 414, 'target-bytes'],
  ] as const) {
    it(`reports ${status} once for ${what}, with its method and path`, () =>
      withHttp2([], async front => {
        expect(await askHttp2(front.connect(), { ':path': '/a?b', ...fields })).to.include({ status });
        const [told, ...more] = front.engineAnswers;
        expect(more).to.deep.equal([]);
        expect(told).to.include({ status, cause, clientAddress: '127.0.0.1', secure: true, protocol: 'h2' });
        expect(told).to.include({ inExchange: false, method: what === 'an unknown method' ? 'BREW' : 'GET' });
        expect(told?.path).to.match(/^\/a\?/);
      }));
  }

  it('accepts a body of exactly the limit, with a length and without', () =>
    withToys([echo], ({ url }) =>
      withHttp2(
        [url],
        async front => {
          for (const length of [{ 'content-length': '10' }, {}])
            expect(await askHttp2(front.connect(), { ...post, ...length }, '0123456789')).to.include({
              status: 200,
              text: '0123456789',
            });
        },
        { limits },
      ),
    ));

  it('returns 413 for a longer length before a backend is asked, and counts no malformed request', () =>
    withHttp2(
      [],
      async front => {
        const answer = await askHttp2(front.connect(), { ...post, 'content-length': '11' }, '0123456789X');
        expect(answer).to.include({ status: 413 });
        expect(front.exchanges).to.deep.equal([]);
        expect(front.engineAnswers).to.have.length(1);
        expect(front.engineAnswers[0]).to.include({ status: 413, cause: 'body-bytes', method: 'POST', path: '/up?x' });
        expect(front.refused).to.deep.equal([]);
      },
      { limits },
    ));

  it('returns 413 as soon as a body without a length is longer, and its request never becomes whole', () => {
    let whole = false;
    const read: RequestListener = request => request.on('end', () => (whole = true)).resume();
    return withToys([read], ({ url }) =>
      withHttp2(
        [url],
        async front => {
          expect(await askHttp2(front.connect(), post, '0123456789X')).to.include({ status: 413 });
          const own = { status: 413, text: 'The request body is too long.' };
          expect(await front.settled(1)).to.deep.equal([{ kind: 'abandoned', own }]);
          expect(front.engineAnswers.map(({ cause, inExchange }) => [cause, inExchange])).to.deep.equal([
            ['body-bytes', true],
          ]);
          expect(whole).to.equal(false);
        },
        { limits },
      ),
    );
  });

  it('resets the stream when the answer has begun before its body is too long', () =>
    withToys([(_, response) => response.write('begun')], ({ url }) =>
      withHttp2(
        [url],
        async front => {
          const client = await front.connectRaw();
          client.send(headers(1, postFields('/up'), 'block'), data(1, '01234'));
          await client.find(({ type, payload }) => type === 0 && payload.toString() === 'begun');
          client.send(data(1, '56789X'));
          expect(await client.resetOf(1)).to.not.equal(codes.NGHTTP2_NO_ERROR);
          expect(await front.settled(1)).to.deep.equal([{ kind: 'abandoned' }]);
        },
        { limits },
      ),
    ));

  it('reports 408 for a body that stops arriving', () =>
    withToys([() => {}], ({ url }) =>
      withHttp2(
        [url],
        async front => {
          const client = await front.connectRaw();
          client.send(headers(1, postFields('/up'), 'block'), data(1, '01234'));
          await front.settled(1);
          expect(front.engineAnswers).to.have.length(1);
          expect(front.engineAnswers[0]).to.include({ status: 408, cause: 'body-timeout', inExchange: true });
        },
        { limits: { idleBodyMs: 100 } },
      ),
    ));
});

describe('HTTP/2: a stream that waits for a full backend', () => {
  it('leaves the queue when the client resets it', async () => {
    const held: ServerResponse[] = [];
    const hold: RequestListener = (_, response) => held.push(response);
    const tls = await makeDevCertificate();
    await withToys([hold], toy =>
      withProxy([toy], { tls, maxconn: 1, affinity: undefined }, async proxy => {
        const session = connectTo(proxy.url);
        const waiting = () => proxy.metric('holdfast_proxy_queue_length');
        try {
          const first = askHttp2(session, { ':path': '/held' });
          while ((await proxy.view('backend-1')).inFlight !== 1) await turn();
          const stream = session.request({ ':path': '/queued' }).on('error', () => {});
          while ((await waiting()) !== 1) await turn();
          stream.close(codes.NGHTTP2_CANCEL);
          while ((await waiting()) !== 0) await turn();
          expect(await proxy.metric('holdfast_proxy_queued_requests_total{outcome="abandoned"}')).to.equal(1);
          held[0]?.end();
          expect(await first).to.include({ status: 200 });
        } finally {
          session.destroy();
        }
      }),
    );
  });
});
