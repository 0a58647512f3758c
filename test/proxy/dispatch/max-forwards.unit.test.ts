import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { ask } from '../ask.js';
import { withPool } from '../with-proxy.js';

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
