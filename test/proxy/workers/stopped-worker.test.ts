/** Tests workers that are stopped (SIGSTOP): others serve, and the stopped one is replaced. */
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import { itAtOnce } from '../../at-once.js';
import { until } from '../../commands/holdfast.js';
import { type Answer, ask } from '../ask.js';
import { withToys } from '../toy-backend.js';
import { type Team, withWorkers, workersOf } from './with-workers.js';

async function countEnds(asked: readonly Promise<Answer>[]): Promise<{ served: number; closed: number }> {
  const ends = await Promise.allSettled(asked);
  const served = ends.filter(end => end.status === 'fulfilled' && end.value.status === 200).length;
  return { served, closed: ends.length - served };
}

async function backendsAnswerWithin({ admin }: Team, ms: number): Promise<void> {
  const startedMs = performance.now();
  expect((await ask(admin, '/backends')).status).to.equal(200);
  expect(performance.now() - startedMs).to.be.lessThan(ms);
}

describe('proxy: a worker that is stopped', function () {
  this.timeout(60_000);
  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  itAtOnce({
    'gets no further connections, is killed, and is replaced; users of the other notice nothing': () =>
      withToys([undefined], toy =>
        withWorkers([toy.url.origin], async proxy => {
          const { holdfast, url } = proxy;
          const established = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
          const all = () => established.map(agent => ask(url, '/', { agent }));
          await Promise.all(all());
          const [stopped = 0, other = 0] = await workersOf(proxy);
          process.kill(stopped, 'SIGSTOP');
          const hanging = countEnds(all());
          const newcomers = Array.from({ length: 30 }, () => ask(url, '/'));
          const answers = countEnds(newcomers);
          await holdfast.sees(`worker ${stopped} has not reported for 3 s: it gets no new connections`);
          await backendsAnswerWithin(proxy, 1500);
          await holdfast.sees(`worker ${stopped} ended (SIGKILL, it did not report for 10 s)`);
          // One of them waited in the channel of the stopped worker, and the other worker got it then.
          const { served, closed } = await hanging;
          expect([served + closed, served > 0, closed > 0]).to.deep.equal([8, true, true]);
          expect(await answers).to.deep.equal({ served: 30, closed: 0 });
          const again = await workersOf(proxy);
          expect(again).to.have.length(2).and.include(other).and.not.include(stopped);
          for (const { status } of await Promise.all(Array.from({ length: 8 }, () => ask(url, '/'))))
            expect(status).to.equal(200);
          for (const agent of established) agent.destroy();
        }),
      ),

    'goes on when it is resumed in time': () =>
      withToys([undefined], toy =>
        withWorkers([toy.url.origin], async proxy => {
          const [stopped = 0] = await workersOf(proxy);
          process.kill(stopped, 'SIGSTOP');
          await proxy.holdfast.sees(`worker ${stopped} has not reported`);
          process.kill(stopped, 'SIGCONT');
          const answers = await Promise.all(Array.from({ length: 8 }, () => ask(proxy.url, '/')));
          expect(answers.map(({ status }) => status)).to.deep.equal(answers.map(() => 200));
          expect(await workersOf(proxy)).to.include(stopped);
        }),
      ),

    'is replaced even when every worker is stopped and a flood has taken the descriptors of the primary': () =>
      withToys([undefined], toy =>
        withWorkers(
          [toy.url.origin],
          async proxy => {
            const { holdfast, url } = proxy;
            const workers = await workersOf(proxy);
            for (const worker of workers) process.kill(worker, 'SIGSTOP');
            const { port, hostname } = new URL(url);
            const flood = Array.from({ length: 120 }, () => connect(Number(port), hostname).on('error', () => {}));
            for (const worker of workers) await holdfast.sees(`worker ${worker} ended (SIGKILL`);
            for (const socket of flood) socket.destroy();
            await until(
              async () => (await ask(url, '/').catch(() => undefined))?.status === 200,
              15_000,
              () => `a new worker serves:\n${holdfast.output.stderr}`,
            );
            expect(await workersOf(proxy)).to.have.length(2);
            holdfast.child.kill('SIGTERM');
            expect(await holdfast.ended(), holdfast.output.stderr).to.equal(0);
          },
          [],
          {},
          64,
        ),
      ),
  });
});
