/** Tests what clients see between SIGTERM and the end of the proxy. */
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { ask } from './ask.js';
import { withToys } from './toy-backend.js';
import { withPool } from './with-proxy.js';
import { withWorkers } from './workers/with-workers.js';

describe('proxy: delay before the listener closes', () => {
  for (const engine of Object.keys(engines)) {
    it(`takes new connections, closes each after its answer, then accepts no more (${engine})`, () =>
      withPool([undefined], { engine, shutdownDelayMs: 400 }, async proxy => {
        expect((await proxy.ask('/')).headers.connection).to.not.equal(undefined);
        const beganMs = performance.now();
        const closed = proxy.close(0);
        await proxy.event(({ kind }) => kind === 'closing');
        const { status, headers } = await proxy.ask('/', { headers: { connection: 'keep-alive' } });
        expect({ status, connection: headers.connection }).to.deep.equal({ status: 200, connection: 'close' });
        expect(await proxy.admin('GET', '/ready')).to.include({ status: 503, text: 'closing\n' });
        await closed;
        expect(performance.now() - beganMs).to.be.greaterThan(390);
        expect(await proxy.ask('/').catch(error => error.code)).to.equal('ECONNREFUSED');
      }));
  }

  it('has no delay by default', () =>
    withPool([undefined], {}, async proxy => {
      const beganMs = performance.now();
      await proxy.close(0);
      expect(performance.now() - beganMs).to.be.lessThan(300);
    }));

  it('tells the clients of all workers', () =>
    withToys([undefined], toy =>
      withWorkers(
        [toy?.url.origin ?? ''],
        async ({ holdfast, url }) => {
          holdfast.child.kill('SIGTERM');
          await holdfast.sees(/closing; 0 in flight/);
          for (let nth = 0; nth < 4; nth += 1) {
            const { status, headers } = await ask(url, '/', { headers: { connection: 'keep-alive' } });
            expect({ status, connection: headers.connection }).to.deep.equal({ status: 200, connection: 'close' });
          }
          expect(await holdfast.ended(), holdfast.output.stderr).to.equal(0);
        },
        ['--shutdown-delay', '1s'],
      ),
    ));
});
