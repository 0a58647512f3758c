import { expect } from 'chai';
import type { Cluster } from '#src/simulator/cluster/cluster.js';
import { infoField, isFed, roleOf, withRedis } from '#src/simulator/cluster/redis-client.js';
import { memberNames } from '#src/simulator/cluster/start-cluster.js';
import { plainStores, type StoresSpec } from '#src/simulator/cluster/stores-spec.js';
import { parseScenario } from '#src/simulator/scenario-file.js';
import { strangeIn, targetIn, targetsOf } from '#src/simulator/targets.js';
import { broken, complaint } from './broken-scenario.js';
import { leavingNothing, withCluster } from './processes.js';

const { redis: plainRedis } = plainStores;
const pair: StoresSpec = { ...plainStores, redis: { ...plainRedis, replicas: 1 } };
const watched: StoresSpec = { ...plainStores, redis: { ...plainRedis, replicas: 2, sentinels: 3 } };
const twoNodes: StoresSpec = { ...plainStores, memcached: { nodes: 2, memoryMb: undefined } };

describe('store clusters: what a scenario file may say', () => {
  const withSystem = (system: string) => broken('users:\n', `system: { ${system} }\nusers:\n`);

  for (const [system, message] of [
    ['redis: { replicas: 3 }', 'found 3, expected one of 0, 1, 2'],
    ['redis: { replicas: 1, sentinels: 1 }', 'found 1, expected one of 0, 3'],
    ['redis: { sentinels: 3 }', 'sentinels without a replica that they could promote'],
    ['redis: { eviction: allkeys-lru }', 'an eviction without a limit'],
    ['redis: { persistence: both }', 'unknown persistence "both". Known: none, aof, rdb.'],
    ['redis: { memory: 0MB }', 'found "0MB", expected a size'],
    ['memcached: { nodes: 3 }', 'found 3, expected one of 1, 2'],
    ['postgres: { commit: off }', 'unknown commit "off". Known: synchronous, asynchronous.'],
    ['postgres: { replicas: 1 }', 'unknown key in system.postgres "replicas"'],
  ] as const)
    it(`refused: ${system}`, () => {
      expect(complaint(withSystem(system)).split('\n')[0])
        .to.match(/^test\.yaml:4:\d+: /)
        .and.include(message);
    });

  it('a member is a target where the system has it, and only there', () => {
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
    strangeIn(target, targetsOf({ backends: { count: 2 }, ...stores }));

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
    it(`${target} in ${mode} is ${meant}`, () => expect(targetIn(mode, target, stores)).to.equal(meant));
});

describe('store clusters: real servers', function () {
  this.timeout(20_000);

  const spec = { mode: 'redis', backends: { count: 1, env: {} } } as const;

  it('a replica behind a link, and three sentinels that see all', () =>
    leavingNothing(async () => {
      const [link] = ['redis.primary->redis.replica-1'];
      const wanted = { ...spec, stores: ['redis'], storesSpec: watched, links: [link] };
      await withCluster(wanted, async cluster => {
        expect(cluster.members.map(({ name }) => name)).to.have.members(memberNames(wanted));
        expect(await roleOf(cluster.member('redis.primary').port)).to.equal('master');
        for (const [name, port] of [
          ['redis.replica-1', cluster.link(link).port],
          ['redis.replica-2', cluster.member('redis.primary').port],
        ] as const)
          expect(await feederOf(cluster, name), name).to.equal(port);
        expect(await sentinelsSee(cluster)).to.equal(cluster.member('redis.primary').port);
      });
    }));
});

async function feederOf(cluster: Cluster, name: string): Promise<number> {
  const { port } = cluster.member(name);
  expect(await isFed(port), name).to.equal(true);
  return Number(infoField(await withRedis(port, redis => redis.info('replication')), 'master_port'));
}

async function sentinelsSee(cluster: Cluster): Promise<number> {
  const info = await withRedis(cluster.member('redis.sentinel-2').port, redis => redis.info('sentinel'));
  return Number(/address=127\.0\.0\.1:(\d+),slaves=2,sentinels=3/.exec(info)?.[1]);
}
