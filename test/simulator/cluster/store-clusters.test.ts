import { expect } from 'chai';
import type { LabCluster } from '#src/simulator/cluster/cluster.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { infoField, isReplicating, roleOf, withRedis } from '#src/simulator/cluster/redis-client.js';
import { listMemberNames } from '#src/simulator/cluster/start-cluster.js';
import { plainStores, type StoresSpec } from '#src/simulator/cluster/stores/registry.js';
import { describeUnknownTarget, resolveTargetName, targetsOf } from '#src/simulator/cluster/targets.js';
import type { Fault } from '#src/simulator/faults/fault.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { leavingNothing, withCluster } from '../processes.js';
import { broken, complaint } from '../scenario/broken-scenario.js';

const { redis: plainRedis } = plainStores;
const pair: StoresSpec = { ...plainStores, redis: { ...plainRedis, replicas: 1 } };
const watched: StoresSpec = { ...plainStores, redis: { ...plainRedis, replicas: 2, sentinels: 3 } };
const twoNodes: StoresSpec = { ...plainStores, memcached: { nodes: 2, memoryMb: undefined } };

describe('store clusters: settings in a scenario file', () => {
  const withSystem = (system: string) => broken('users:\n', `system: { ${system} }\nusers:\n`);

  for (const [system, message] of [
    ['redis: { replicas: 3 }', 'found 3, expected one of 0, 1, 2'],
    ['redis: { replicas: 1, sentinels: 1 }', 'found 1, expected one of 0, 3'],
    ['redis: { sentinels: 3 }', 'sentinels without a replica to promote'],
    ['redis: { eviction: allkeys-lru }', 'an eviction without a memory limit'],
    ['redis: { persistence: both }', 'unknown persistence "both". Known: none, aof, rdb.'],
    ['redis: { memory: 0MB }', 'found "0MB", expected a size'],
    ['memcached: { nodes: 3 }', 'found 3, expected one of 1, 2'],
    ['postgres: { commit: off }', 'unknown commit "off". Known: synchronous, asynchronous.'],
    ['postgres: { replicas: 1 }', 'unknown key in system.postgres "replicas"'],
  ] as const)
    it(`refuses ${system}`, () => {
      expect(complaint(withSystem(system)).split('\n')[0])
        .to.match(/^test\.yaml:4:\d+: /)
        .and.include(message);
    });

  it('accepts a member as a target only if the system has it', () => {
    const aimed = (system: string, target: string) =>
      withSystem(system).replace('do: hang, target: redis', `do: hang, target: ${target}`);
    expect(parseScenario(aimed('redis: { replicas: 1 }', 'redis.replica-1'), 'test.yaml').faults[1]?.target).to.equal(
      'redis.replica-1',
    );
    expect(complaint(aimed('redis: { replicas: 1 }', 'redis.replica-2'))).to.include(
      'unknown target "redis.replica-2"',
    );
  });
});

describe('store clusters: their members as targets', () => {
  const strange = (stores: StoresSpec, target: string) =>
    describeUnknownTarget(target, targetsOf({ backends: { count: 2 }, ...stores }));

  for (const [stores, known, unknown] of [
    [
      plainStores,
      ['redis', 'store', 'backend-2->redis', 'backend-any->store'],
      ['redis.primary', 'redis.primary->redis.replica-1'],
    ],
    [
      pair,
      [
        'redis',
        'redis.primary',
        'redis.replica-1',
        'redis.primary->redis.replica-1',
        'backend-1->redis',
        'backend-1->store',
      ],
      ['redis.replica-2', 'redis.sentinel-1', 'redis.replica-1->redis.primary', 'backend-1->redis.primary'],
    ],
    [
      watched,
      ['redis.replica-2', 'redis.sentinel-3', 'redis.primary->redis.replica-2', 'backend-1->postgres'],
      ['redis.sentinel-4', 'backend-1->redis', 'backend-1->store'],
    ],
    [
      twoNodes,
      ['memcached', 'memcached.node-2', 'backend-1->memcached.node-2', 'backend-1->memcached'],
      ['memcached.node-3', 'backend-1->redis.primary'],
    ],
  ] as const)
    it(`${known[1]}, …`, () => {
      for (const target of known) expect(strange(stores, target), target).to.equal(undefined);
      for (const target of unknown) expect(strange(stores, target), target).to.be.a('string');
    });

  for (const [stores, mode, target, meant] of [
    [plainStores, 'redis', 'store', 'redis'],
    [plainStores, 'sticky', 'store', undefined],
    [pair, 'jwt', 'store', 'redis.primary'],
    [pair, 'memcached', 'redis', 'redis.primary'],
    [pair, 'redis', 'redis.replica-1', 'redis.replica-1'],
    [pair, 'redis', 'backend-1->store', 'backend-1->redis'],
    [twoNodes, 'memcached', 'store', 'memcached.node-1'],
    [twoNodes, 'memcached', 'backend-1->store', 'backend-1->memcached.node-1'],
    [twoNodes, 'postgres', 'backend-1->store', 'backend-1->postgres'],
    [pair, 'redis', 'backend-1', 'backend-1'],
  ] as const)
    it(`resolves ${target} in ${mode} to ${meant}`, () =>
      expect(resolveTargetName(mode, target, stores)).to.equal(meant));
});

describe('store clusters: requirements of faults', () => {
  const aof: StoresSpec = { ...plainStores, redis: { ...plainRedis, persistence: 'aof' } };

  for (const [fault, target, stores, message] of [
    ['promote', 'redis.replica-1', pair, undefined],
    ['promote', 'redis', plainStores, 'expected a replica such as redis.replica-1'],
    ['promote', 'redis.replica-1', watched, 'found sentinels, which promote a replica by themselves'],
    ['power-cut', 'redis', aof, undefined],
    ['power-cut', 'redis', plainStores, 'system.redis.persistence: aof'],
    ['power-cut', 'postgres', aof, 'expected a Redis with an append-only file'],
    ['pause', 'redis.replica-2', watched, undefined],
    ['pause', 'redis.sentinel-1', watched, 'expected a Redis with data'],
    ['pause', 'memcached', plainStores, 'expected a Redis with data'],
    ['stop', 'memcached', plainStores, undefined],
    ['stop', 'postgres', plainStores, 'which waits at SIGTERM'],
  ] as const)
    it(`${fault} of ${target}: ${message ?? 'there'}`, () => {
      const said = faults[fault]?.explainMissing?.(target, { backends: { count: 2 }, ...stores }, {});
      if (message === undefined) expect(said).to.equal(undefined);
      else expect(said).to.include(message);
    });

  it('promote for unknown backends: refused', () => {
    const text = broken('users:\n', 'system: { redis: { replicas: 1 } }\nusers:\n').replace(
      'do: hang, target: redis',
      'do: promote, for-backends: [backend-4], target: redis.replica-1',
    );
    expect(complaint(text)).to.include('found "backend-4" in for-backends, expected one of 3 backends');
  });
});

describe('store clusters: real servers', function () {
  this.timeout(20_000);

  const spec = { mode: 'redis', backends: { count: 1, env: {} } } as const;

  it('starts a replica behind a link, and three sentinels that see all members', () =>
    leavingNothing(async () => {
      const [link] = ['redis.primary->redis.replica-1'];
      const wanted = { ...spec, stores: ['redis'], storesSpec: watched, links: [link] };
      await withCluster(wanted, async cluster => {
        expect(cluster.members.map(({ name }) => name)).to.have.members(listMemberNames(wanted));
        expect(await roleOf(cluster.member('redis.primary').port)).to.equal('master');
        for (const [name, port] of [
          ['redis.replica-1', cluster.link(link).port],
          ['redis.replica-2', cluster.member('redis.primary').port],
        ] as const)
          expect(await primaryPortOf(cluster, name), name).to.equal(port);
        expect(await readPrimaryPortOfSentinel(cluster)).to.equal(cluster.member('redis.primary').port);
      });
    }));

  it('confirms and heals stop, pause, hang, promote for some backends, and power-cut', () =>
    leavingNothing(async () => {
      const storesSpec = { ...pair, redis: { ...pair.redis, persistence: 'aof' } } as const;
      const wanted = { mode: 'redis', backends: { count: 2, env: {} }, stores: ['redis'], storesSpec } as const;
      await withCluster(wanted, async cluster => {
        await expectPausesSeen(cluster);
        await expectHangSeen(cluster);
        await expectSplitHealed(cluster);
        await expectPowerCutSeen(cluster);
      });
    }));
});

async function expectPausesSeen(cluster: LabCluster): Promise<void> {
  const replica = cluster.member('redis.replica-1');
  for (const [name, options, seen] of [
    ['stop', {}, /^ended with code 0; port \d+ refuses connections$/],
    ['pause', { length: '400ms' }, /^no answer within 250 ms on a port that takes connections$/],
  ] as const) {
    const fault = faultOf(name, replica.name, options);
    await fault.heal(cluster); // never injected: nothing to undo
    expect(await fault.confirm(cluster), name).to.equal(false);
    await fault.inject(cluster);
    expect(await fault.confirm(cluster), name).to.match(seen);
    expect(await replica.answers(50), name).to.equal(false);
    await fault.heal(cluster);
    await fault.heal(cluster);
    expect(await replica.answers(1_000), name).to.equal(true);
  }
  expect(await waitUntil(() => isReplicating(replica.port), 5_000), 'the role it had').to.equal(true);
}

async function expectHangSeen(cluster: LabCluster): Promise<void> {
  const hang = faultOf('hang', 'redis.replica-1');
  await hang.inject(cluster);
  expect(await hang.confirm(cluster)).to.equal('stopped by SIGSTOP; no answer within 250 ms; WAIT 1 100 answered 0');
  await hang.heal(cluster);
}

/** Checks that writes on the losing side are lost, and that its backends use the other side. */
async function expectSplitHealed(cluster: LabCluster): Promise<void> {
  const [old, fresh] = [cluster.member('redis.primary'), cluster.member('redis.replica-1')];
  const split = faultOf('promote', 'redis.replica-1', { 'for-backends': ['backend-2'] });
  await split.heal(cluster); // never injected: nothing to undo
  expect(await roleOf(fresh.port)).to.equal('slave');
  expect(await split.confirm(cluster)).to.equal(false);
  await split.inject(cluster);
  expect(await split.confirm(cluster)).to.equal('ROLE answered master, a write through backend-2->redis reached it');
  await withRedis(cluster.link('backend-1->redis').port, redis => redis.set('side', 'losing'));
  expect(await withRedis(cluster.link('backend-2->redis').port, redis => redis.get('side'))).to.equal(null);
  await split.heal(cluster);
  expect(await withRedis(cluster.link('backend-1->redis').port, redis => redis.get('side'))).to.equal(null);
  old.signal('SIGKILL');
  await old.waitExit(2_000);
  await old.start();
  expect(await roleOf(old.port)).to.equal('slave');
  await split.heal(cluster);
}

async function expectPowerCutSeen(cluster: LabCluster): Promise<void> {
  const { port } = cluster.member('redis.replica-1');
  const cut = faultOf('power-cut', 'redis.replica-1');
  expect(await cut.confirm(cluster)).to.equal(false);
  const counting = countUntilItDies(port);
  // The fault truncates the file to its length at the next full second: a number must stand in it by then.
  const isCounting = () => withRedis(port, async redis => (await redis.get('counted')) !== null);
  expect(await waitUntil(isCounting, 2_000)).to.equal(true);
  await cut.inject(cluster);
  const counted = await counting;
  expect(await cut.confirm(cluster)).to.match(
    /^ended by SIGKILL; its file was truncated from [1-9]\d* bytes to [1-9]\d*, /,
  );
  await cut.heal(cluster);
  const kept = Number(await withRedis(port, redis => redis.get('counted')));
  expect(kept).to.be.within(1, counted - 1);
  expect(await withRedis(port, redis => redis.get('holdfast-lab:promoted'))).to.equal('backend-2->redis');
}

/** Returns the last number that was acknowledged. */
async function countUntilItDies(port: number): Promise<number> {
  let counted = 0;
  await withRedis(port, async redis => {
    for (;;) counted = await redis.incr('counted');
  }).catch(() => undefined);
  return counted;
}

function faultOf(name: string, target: string, options = {}): Fault {
  const fault = faults[name]?.make(target, options);
  return fault ?? expect.fail(`no fault ${name}`);
}

async function primaryPortOf(cluster: LabCluster, name: string): Promise<number> {
  const { port } = cluster.member(name);
  expect(await isReplicating(port), name).to.equal(true);
  return Number(infoField(await withRedis(port, redis => redis.info('replication')), 'master_port'));
}

async function readPrimaryPortOfSentinel(cluster: LabCluster): Promise<number> {
  const info = await withRedis(cluster.member('redis.sentinel-2').port, redis => redis.info('sentinel'));
  return Number(/address=127\.0\.0\.1:(\d+),slaves=2,sentinels=3/.exec(info)?.[1]);
}
