import { expect } from 'chai';
import { itAtOnce } from '../at-once.js';
import { Visitor } from '../backends/visitor.js';
import { until } from '../sessions/until.js';
import { withCluster } from '../sessions/with-cluster.js';
import { withSentinel } from '../sessions/with-sentinel.js';
import { type Holdfast, withHoldfast } from './holdfast.js';

const downAfterMs = 500;

describe('holdfast proxy --redis-url', function () {
  this.timeout(60_000);

  itAtOnce({
    'keeps sessions in a Redis Cluster: no session is lost when a backend dies': () =>
      withCluster({}, cluster =>
        withLab(cluster.url, async (url, lab) => {
          const users = await Promise.all(['anna', 'ben', 'cara', 'dora'].map(user => new Visitor(url).logIn(user)));
          for (const user of users) await user.add('tea');
          process.kill(pidOf(lab, 'backend-1'), 'SIGKILL');
          await lab.sees('backend-1 ended');
          await lab.sees('backend-1 runs again, process');
          for (const user of users) expect(await user.skus()).to.deep.equal(['tea']);
          const [anna] = users;
          await anna?.post('/logout', {});
          expect((await anna?.get('/cart'))?.status).to.equal(401);
        }),
      ),

    'keeps sessions behind Sentinel: with ?replicas=1 users stay logged in after a failover': () =>
      withSentinel(downAfterMs, group =>
        withLab(`${group.url}?replicas=1`, async url => {
          const anna = await new Visitor(url).logIn('anna');
          const { cookie } = anna;
          await group.kill();
          expect((await anna.get('/cart')).status).to.equal(503);
          expect(anna.cookie, 'an outage logs no user out').to.equal(cookie);
          await group.failedOver();
          await until(async () => (await anna.get('/cart')).status === 200);
          await anna.add('tea');
          expect(await anna.skus()).to.deep.equal(['tea']);
          const unreplicated = await new Visitor(url).post('/login', { user: 'ben', password: 'secret' });
          expect(unreplicated.status, 'no replica is left').to.equal(503);
        }),
      ),
  });
});

async function withLab(redisUrl: string, work: (url: string, lab: Holdfast) => Promise<void>): Promise<void> {
  const args = ['proxy', '--mode', 'redis', '--backends', '2', '--port', '0', '--admin-port', '0'];
  await withHoldfast([...args, '--redis-url', redisUrl, '--health-interval', '300ms'], async lab => {
    await lab.sees('Ctrl-C here stops everything');
    const [, url = ''] = /open (http:\S+) in a browser/.exec(lab.output.stdout) ?? [];
    await work(url, lab);
    lab.child.kill('SIGINT');
    expect(await lab.ended(), lab.output.stderr).to.equal(130);
    expect(await lab.children()).to.deep.equal([]);
  });
}

function pidOf({ output }: Holdfast, name: string): number {
  return Number(new RegExp(`${name}\\s+│\\s+(\\d+)`).exec(output.stdout)?.[1] ?? Number.NaN);
}
