import type { Socket } from 'node:net';
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { ask } from '../ask.js';
import { deadUrl, withTcp, withToys } from '../toy-backend.js';
import { blindHealth, withPool, withProxy } from '../with-proxy.js';

const { limits } = defaultProxyOptions;

describe('proxy: its own answers', () => {
  it('returns 503 without a cookie when no backend is up', async () => {
    const urls = [await deadUrl(), await deadUrl()];
    const toys = urls.map((url, i) => ({ name: `backend-${i + 1}`, url }));
    await withProxy(toys, {}, async proxy => {
      const answer = await proxy.ask('/', { method: 'POST', body: 'x' });
      expect(answer.status).to.equal(503);
      expect(answer.headers).to.include({
        'retry-after': '1',
        'proxy-status': 'holdfast; error=destination_unavailable; outcome=not-sent',
        'content-type': 'text/plain; charset=utf-8',
      });
      expect(answer.headers).to.not.have.property('set-cookie');
      expect(await proxy.metric('holdfast_proxy_own_answers_total{status="503",outcome="not-sent"}')).to.equal(1);
    });
  });

  /** Passes health checks; `onRequest` decides how all other requests end. */
  const failing = (onRequest: (socket: Socket) => void) => (socket: Socket) =>
    void socket.once('data', data => {
      if (data.toString().startsWith('GET /health')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      else onRequest(socket);
    });

  it('returns 502 for a POST that broke off, and does not retry it', () =>
    withTcp(
      failing(socket => socket.resetAndDestroy()),
      url =>
        withToys([undefined], (...toys) =>
          withProxy([{ name: 'bad', url }, ...toys], { health: blindHealth }, async proxy => {
            const answers = [1, 2].map(() => proxy.ask('/', { method: 'POST', body: 'x' }));
            const bad = (await Promise.all(answers)).find(answer => answer.status !== 200);
            expect(bad?.status).to.equal(502);
            expect(bad?.headers['proxy-status']).to.equal('holdfast; error=connection_terminated; outcome=unknown');
            expect(toys[0]?.seen.length).to.be.lessThan(2);
          }),
        ),
    ));

  it('returns 502 for a GET that broke off on every backend', () =>
    withTcp(
      failing(socket => socket.resetAndDestroy()),
      url =>
        withProxy([{ name: 'bad', url }], { health: blindHealth }, async proxy => {
          const answer = await proxy.ask('/');
          expect(answer.status).to.equal(502);
          expect(answer.headers['proxy-status']).to.equal('holdfast; error=connection_terminated; outcome=unknown');
          expect(answer.headers).to.not.have.property('set-cookie');
        }),
    ));

  it('retries a GET that broke off on another backend', () =>
    withTcp(
      failing(socket => socket.resetAndDestroy()),
      url =>
        withToys([undefined], (...toys) =>
          withProxy([{ name: 'bad', url }, ...toys], { health: blindHealth }, async proxy => {
            for (let i = 0; i < 4; i += 1) expect((await proxy.ask('/')).status).to.equal(200);
          }),
        ),
    ));

  it('returns 504 when the head of the answer is late', () =>
    withTcp(
      failing(() => {}),
      url =>
        withProxy(
          [{ name: 'bad', url }],
          { limits: { ...limits, responseHeadMs: 50 }, health: blindHealth },
          async proxy => {
            const answer = await proxy.ask('/', { method: 'POST', body: 'x' });
            expect(answer.status).to.equal(504);
            expect(answer.headers['proxy-status']).to.equal('holdfast; error=http_response_timeout; outcome=unknown');
          },
        ),
    ));

  it('rejects an unknown engine or policy, and leaves nothing running', async () => {
    for (const option of [{ engine: 'wira' }, { policy: 'round-robbin' }]) {
      const error = await withProxy([], option, async () => {}).catch(error => error);
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(/^unknown (engine|routing policy) .* Known: /);
    }
  });
});

for (const engine of Object.keys(engines)) {
  describe(`proxy: Max-Forwards, engine ${engine}`, () => {
    const withOne = (use: Parameters<typeof withPool>[2]) =>
      withPool(
        [(request, response) => response.end(`max-forwards: ${request.headers['max-forwards']}`)],
        { engine },
        use,
      );

    for (const [method, status] of [
      ['OPTIONS', 200],
      ['TRACE', 405],
    ] as const) {
      it(`answers ${method} with Max-Forwards: 0 by itself`, () =>
        withOne(async (proxy, toy) => {
          const answer = await proxy.ask('/', { method, headers: { 'max-forwards': '0', cookie: 'secret=1' } });
          expect(answer.status).to.equal(status);
          expect(answer.headers.allow).to.match(/GET, .*OPTIONS/);
          expect(answer.headers).to.not.have.property('set-cookie');
          expect(answer.text).to.not.contain('secret');
          expect(toy?.seen).to.deep.equal([]);
          const counted = `holdfast_proxy_own_answers_total{status="${status}",outcome="not-sent"}`;
          expect(await proxy.metric(counted)).to.equal(1);
        }));

      it(`decrements Max-Forwards of ${method}`, () =>
        withOne(async proxy => {
          for (const [given, seen] of [
            ['1', '0'],
            ['010', '9'],
            ['999999999999999', '999999999999998'],
          ]) {
            const answer = await proxy.ask('/', { method, headers: { 'max-forwards': given } });
            expect(answer.text).to.equal(`max-forwards: ${seen}`);
          }
        }));
    }

    it('forwards a malformed Max-Forwards unchanged, and every one of another method', () =>
      withOne(async proxy => {
        for (const given of ['-1', '0x0', '1, 0', '9999999999999999']) {
          const answer = await proxy.ask('/', { method: 'OPTIONS', headers: { 'max-forwards': given } });
          expect(answer.text).to.equal(`max-forwards: ${given}`);
        }
        const answer = await ask(proxy.url, '/', { headers: { 'max-forwards': '0' } });
        expect(answer.text).to.equal('max-forwards: 0');
      }));
  });
}
