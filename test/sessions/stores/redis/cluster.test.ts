import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { newSecret, newSessionId } from '#src/sessions/session.js';
import { slotOf } from '#src/sessions/stores/redis/cluster.js';
import { redis } from '#src/sessions/stores/redis.js';
import { expectRejection } from '../../expect-rejection.js';
import { revocable } from '../../revocable.js';
import { sessionStoreContract } from '../../session-store.contract.js';
import { until } from '../../until.js';
import { type RedisCluster, startCluster } from '../../with-cluster.js';
import { type RedisProcess, told } from '../../with-redis.js';
import { expectPushed, inTime, newHandle, record, sessionKey, succeeds, withClient } from './redis-client.js';

const feedKey = 'holdfast:revoked';

describe('redis in a Cluster', () => {
  let cluster: RedisCluster;

  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster.stop());

  async function idOn(node: RedisProcess | undefined): Promise<string> {
    for (;;) {
      const id = newSessionId('anna');
      if ((await cluster.ownerOf(sessionKey(id))) === node) return id;
    }
  }

  describe('of three primaries', () => {
    sessionStoreContract(redis, async () => ({ server: undefined, url: cluster.url, stop: async () => undefined }), {
      outages: false,
    });
  });

  describe('with moving slots and dying nodes', () => {
    it('finds the whole cluster through any node', async () => {
      for (const { port } of cluster.primaries) {
        await withClient(`redis+cluster://127.0.0.1:1,127.0.0.1:${port}`, async ({ store }) => {
          const ids = await Promise.all(cluster.primaries.map(idOn));
          for (const id of ids) await store.create(id, record({ user: 'ida' }));
          for (const id of ids) expect(await store.remove(id)).to.equal('removed');
        });
      }
    });

    it('follows a slot to another node, during and after the move', () =>
      withClient(cluster.url, async ({ store, transitions }) => {
        const [from, to] = cluster.primaries;
        const [there, made] = [await idOn(from), record({ user: 'mia' })];
        const slot = slotOf(sessionKey(there));
        await store.create(there, made);
        await beginMove(slot, from, to);
        expect(await store.read(there), 'not moved yet').to.deep.equal(made);
        await moveKey(sessionKey(there), from, to);
        expect(await store.read(there), 'moved, the slot not yet').to.deep.equal(made);
        expect(await store.replace(there, { ...made, version: 2 })).to.equal('saved');
        await endMove(slot, cluster.primaries, to);
        expect(await store.read(there), 'the slot too').to.deep.equal({ ...made, version: 2 });
        expect(await store.listByUser('mia')).to.have.length(1);
        expect(await store.remove(there)).to.equal('removed');
        expect(transitions).to.deep.equal([]);
      }));

    it('follows the list of revoked sessions to another node', () =>
      withClient(cluster.url, one =>
        withClient(cluster.url, async two => {
          const from = await cluster.ownerOf(feedKey);
          const to = cluster.primaries.find(node => node !== from);
          await expectPushed(one.feed, two.feed);
          await beginMove(slotOf(feedKey), from, to);
          await moveKey(feedKey, from, to);
          await endMove(slotOf(feedKey), cluster.primaries, to);
          await expectPushed(one.feed, two.feed);
          await expectPushed(two.feed, one.feed);
          await beginMove(slotOf(feedKey), to, from);
          await moveKey(feedKey, to, from);
          await endMove(slotOf(feedKey), cluster.primaries, from);
          await expectPushed(one.feed, two.feed);
        }),
      ));

    for (const [what, strike, heal] of [
      ['dies', (node: RedisProcess) => node.kill(), (node: RedisProcess) => node.restart()],
      ['hangs', async (node: RedisProcess) => node.freeze(), async (node: RedisProcess) => node.thaw()],
    ] as const) {
      it(`loses only the slots of a node that ${what}, and recovers by itself`, () =>
        withClient(cluster.url, async ({ store, feed, transitions }) => {
          const feedNode = await cluster.ownerOf(feedKey);
          const struck = cluster.primaries.find(node => node !== feedNode);
          if (struck === undefined) throw new Error('there are three');
          const ids = await Promise.all(cluster.primaries.map(idOn));
          const made = record({ user: `user-${newSecret()}` });
          for (const id of ids) await store.create(id, made);
          await strike(struck);
          try {
            for (const [at, id] of ids.entries()) {
              if (cluster.primaries[at] === struck) {
                await expectRejection(inTime(store.read(id)), StoreUnavailable);
                await expectRejection(inTime(store.remove(id)), StoreUnavailable);
              } else {
                expect(await store.read(id)).to.deep.equal(made);
                expect(await store.replace(id, { ...made, version: 2 })).to.equal('saved');
              }
            }
            await expectRejection(inTime(store.listByUser(made.user)), StoreUnavailable);
            await feed.revoke([newHandle()], Date.now() + 60_000);
            expect(await store.ready(20)).to.equal(false);
            await withClientThatIsNotReady(async (early, ready) => {
              const [alive = ''] = ids.filter((_, at) => cluster.primaries[at] !== struck);
              await until(async () => (await early.read(alive).catch(() => undefined))?.version === 2);
              expect(await ready()).to.equal(false);
            });
            await expectRejection(inTime(store.clear()), StoreUnavailable);
          } finally {
            await heal(struck);
          }
          expect(await store.ready(10_000)).to.equal(true);
          await store.create(await idOn(struck), made);
          expect(transitions[0]).to.match(/^down: /);
          await until(() => transitions.length > 1);
          expect(transitions.slice(1)).to.deep.equal(['up: connected again']);
        }));
    }

    async function withClientThatIsNotReady(
      work: (store: ReturnType<typeof redis.open>, ready: () => Promise<boolean>) => Promise<void>,
    ): Promise<void> {
      const store = redis.open({ url: cluster.url, deadlineMs: 300, now: Date.now });
      try {
        await work(store, () => store.ready(100));
      } finally {
        await store.close();
      }
    }

    it('rejects a server that is in no cluster', async () => {
      const transitions: string[] = [];
      const store = redis.open({
        url: 'redis+cluster://127.0.0.1:1',
        deadlineMs: 300,
        now: Date.now,
        onTransition: ({ why }) => void transitions.push(why),
      });
      try {
        await expectRejection(store.read(newSessionId('anna')), StoreUnavailable);
        expect(await store.ready(100)).to.equal(false);
        expect(transitions).to.deep.equal(['127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1']);
      } finally {
        await store.close();
      }
    });
  });
});

describe('redis in a Cluster with replicas', () => {
  let cluster: RedisCluster;

  before(async () => {
    cluster = await startCluster({ replicasEach: 1, nodeTimeoutMs: 700 });
  });
  after(() => cluster.stop());

  it('keeps replicated writes when the primary dies, and recovers by itself', () =>
    withClient(`${cluster.url}?replicas=1`, async ({ store, feed }) => {
      const made = record({ user: 'nora' });
      const ids = Array.from({ length: 40 }, () => newSessionId('anna'));
      await Promise.all(ids.map(id => store.create(id, made)));
      const ended = ids.splice(0, 10);
      for (const id of ended) expect(await store.remove(id)).to.equal('removed');
      const handle = newHandle();
      await feed.revoke([handle], Date.now() + 60_000);
      const dying = await cluster.ownerOf(feedKey);
      await dying.kill();
      await cluster.serves(dying);
      expect(await store.ready(10_000)).to.equal(true);
      for (const id of ids) expect(await store.read(id)).to.deep.equal(made);
      for (const id of ended) expect(await store.read(id)).to.equal(undefined);
      expect(await store.listByUser('nora')).to.have.length(ids.length);
      await withClient(cluster.url, async late => {
        expect(late.feed.isRevoked(revocable(handle))).to.equal(true);
        await succeeds(() => expectPushed(late.feed, feed));
      });
    }));
});

async function beginMove(slot: number, from: RedisProcess | undefined, to: RedisProcess | undefined): Promise<void> {
  const [fromId, toId] = await Promise.all([from, to].map(node => told(node?.port ?? 0, 'CLUSTER', 'MYID')));
  await told(to?.port ?? 0, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId ?? '');
  await told(from?.port ?? 0, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId ?? '');
}

async function moveKey(key: string, from: RedisProcess | undefined, to: RedisProcess | undefined): Promise<void> {
  await told(from?.port ?? 0, 'MIGRATE', '127.0.0.1', to?.port ?? 0, key, 0, 5_000);
}

async function endMove(slot: number, all: readonly RedisProcess[], to: RedisProcess | undefined): Promise<void> {
  const id = await told(to?.port ?? 0, 'CLUSTER', 'MYID');
  const others = all.filter(node => node !== to);
  for (const node of [to, ...others]) await told(node?.port ?? 0, 'CLUSTER', 'SETSLOT', slot, 'NODE', id);
}
