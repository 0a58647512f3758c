import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { LabCluster } from '#src/simulator/cluster/cluster.js';
import { answersOk, waitUntil } from '#src/simulator/cluster/probe.js';
import { endsOf } from '#src/simulator/cluster/targets.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { leavingNothing, quickProxy, withCluster } from '../processes.js';

/** Links for each protocol of a lab. */
const links = ['proxy-1->backend-1', 'backend-1->redis', 'backend-2->memcached', 'backend-2->postgres'];

const table = [
  { name: 'cut-link', options: {}, seen: /^no answer through it within 250 ms, \d+ bytes swallowed$/ },
  { name: 'cut-link', options: { direction: 'forward' }, seen: /^no answer .* [1-9]\d* bytes swallowed$/ },
  { name: 'cut-link', options: { direction: 'back' }, seen: /^no answer .* [1-9]\d* bytes swallowed$/ },
  { name: 'slow', options: { latency: '60ms', jitter: '20ms' }, seen: /^an answer through it took \d{2,3} ms$/ },
  { name: 'throttle', options: { rate: '5KB/s' }, seen: /through it in \d+ ms, [1-9]\d* bytes held back$/ },
  { name: 'reset', options: { bytes: 0 }, seen: /^an answer was cut off after 0 bytes$/ },
  { name: 'truncate', options: { bytes: 3 }, seen: /^an answer was cut off after 3 bytes$/ },
];

async function stateOf(cluster: LabCluster, name: string): Promise<string | undefined> {
  return (await cluster.proxyAdmin.backends()).find(backend => backend.name === name)?.state;
}

function secretsOf(cluster: LabCluster, name: string): string | undefined {
  const environment = readFileSync(`/proc/${cluster.member(name).pid}/environ`, 'utf8').split('\0');
  return environment.find(variable => variable.startsWith('HOLDFAST_SECRETS='));
}

async function expectSeenAndHealed(cluster: LabCluster, link: string, { name, options, seen }: (typeof table)[number]) {
  const what = `${name} ${JSON.stringify(options)} of ${link}`;
  const member = cluster.member(endsOf(link)?.[1] ?? '');
  const fault = faults[name]?.make(link, options) ?? expect.fail(name);
  await fault.heal(cluster); // never injected: nothing to undo
  expect(await member.answers(1_000, cluster.link(link).port), what).to.equal(true);
  await fault.inject(cluster);
  expect(await fault.confirm(cluster), what).to.match(seen);
  expect(await member.answers(1_000), `${what}, by itself`).to.equal(true);
  await fault.heal(cluster);
  expect(await member.answers(1_000, cluster.link(link).port), `${what}, healed`).to.equal(true);
  await fault.heal(cluster);
}

describe('faults of links and proxies', function () {
  this.timeout(60_000);
  const spec = {
    mode: 'redis',
    backends: { count: 2, env: {} },
    stores: ['redis', 'memcached', 'postgres'],
    proxy: { ...quickProxy, count: 2 },
    links,
  } as const;

  it('are confirmed through links of each protocol and healed, and a second heal does no harm', () =>
    leavingNothing(() =>
      withCluster(spec, async cluster => {
        for (const row of table) await Promise.all(links.map(link => expectSeenAndHealed(cluster, link, row)));

        const cut = faults['cut-link']?.make('proxy-1->backend-1', {}) ?? expect.fail();
        await cut.inject(cluster);
        expect(await waitUntil(async () => (await stateOf(cluster, 'backend-1')) === 'down', 5_000)).to.equal(true);
        expect(await stateOf(cluster, 'backend-2')).to.equal('ready');
        // The other proxy is not affected.
        cluster.member('proxy-1').mark('stopped');
        expect(await stateOf(cluster, 'backend-1')).to.equal('ready');
        cluster.member('proxy-1').mark('up');
        await cut.heal(cluster);
        expect(await stateOf(cluster, 'backend-1')).to.equal('ready');

        for (const { name, options } of table) {
          if (name === 'reset' || name === 'truncate') continue; // they wait for a longer answer
          const idle = faults[name]?.make('backend-1->redis', options);
          expect(await idle?.confirm(cluster), `${name} that was not done`).to.equal(false);
        }
        const vague = faults.slow?.make('backend-1->redis', { latency: '5ms', jitter: '5ms' });
        expect(await vague?.confirm(cluster), 'any time would do').to.equal(false);
        expect(cluster.proxies.map(({ name }) => name)).to.deep.equal(['proxy-1', 'proxy-2']);
        for (const { name, url } of cluster.proxies)
          expect(url).to.equal(`http://127.0.0.1:${cluster.member(name).port}`);
        expect(secretsOf(cluster, 'proxy-1'))
          .to.match(/^HOLDFAST_SECRETS=lab:/)
          .and.equal(secretsOf(cluster, 'proxy-2'));
        const secrets = secretsOf(cluster, 'proxy-1');
        for (const name of ['kill', 'hang']) {
          const fault = faults[name]?.make('proxy-1') ?? expect.fail();
          await fault.inject(cluster);
          expect(await fault.confirm(cluster), name).to.be.a('string');
          expect(await answersOk(`${cluster.proxies[0]?.url}/health`, 200)).to.equal(false);
          expect(await answersOk(`${cluster.proxies[1]?.url}/health`, 1_000)).to.equal(true);
          expect(await stateOf(cluster, 'backend-1'), 'the other is asked').to.equal('ready');
          await fault.heal(cluster);
          expect(await answersOk(`${cluster.proxies[0]?.url}/health`, 1_000)).to.equal(true);
          expect(secretsOf(cluster, 'proxy-1')).to.equal(secrets);
        }

        const long = faults.reset?.make('backend-1->redis', { bytes: 100_000 });
        await long?.inject(cluster);
        expect(await long?.confirm(cluster), 'no answer is that long').to.equal(false);
        await long?.heal(cluster);

        const dead = faults['cut-link']?.make('backend-1->redis', {});
        cluster.member('redis').signal('SIGKILL');
        await cluster.member('redis').waitExit(2_000);
        await dead?.inject(cluster);
        expect(await dead?.confirm(cluster), 'it is not the link that is broken').to.equal(false);
        await dead?.heal(cluster); // the member is dead and cannot answer
        await cluster.member('redis').start();
      }),
    ));
});
