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
import { create, expectPushed, inTime, newHandle, succeeds, userKey, withClient } from './redis-client.js';

const feedKey = 'holdfast:revoked';

describe('redis in a Cluster', () => {
  let cluster: RedisCluster;

  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster.stop());

  /** Returns the name of a user whose sessions are on the node. */
  async function userOn(node: RedisProcess | undefined): Promise<string> {
    for (;;) {
      const user = `user-${newSecret()}`;
      if ((await cluster.ownerOf(userKey(user))) === node) return user;
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
          for (const user of await Promise.all(cluster.primaries.map(userOn))) {
            const { id } = await create(store, { user });
            expect(await store.remove(id)).to.equal('removed');
          }
        });
      }
    });

    it('follows a slot to another node, during and after the move', () =>
      withClient(cluster.url, async ({ store, transitions }) => {
        const [from, to] = cluster.primaries;
        const user = await userOn(from);
        const [key, slot] = [userKey(user), slotOf(userKey(user))];
        const [{ id: there, made }, ended] = [await create(store, { user }), await create(store, { user })];
        await beginMove(slot, from, to);
        expect(await store.read(there), 'not moved yet').to.deep.equal(made);
        await moveKey(key, from, to);
        expect(await store.read(there), 'moved, the slot not yet').to.deep.equal(made);
        expect(await store.replace(there, { ...made, version: 2 })).to.equal('saved');
        const moved = { ...made, version: 3, epochs: { ...made.epochs, user: await store.raiseEpoch(user, there) } };
        expect(await store.read(ended.id)).to.equal(undefined);
        await endMove(slot, cluster.primaries, to);
        expect(await store.read(there), 'the slot too').to.deep.equal(moved);
        expect(await store.read(ended.id)).to.equal(undefined);
        expect(await store.listByUser(user)).to.have.length(1);
        expect(await store.remove(there)).to.equal('removed');
        expect(transitions).to.deep.equal([]);
      }));

    it('makes a lost copy of the epoch of everyone equal to the others, and raises all of them', () =>
      withClient(cluster.url, async ({ store }) => {
        const [node, other] = cluster.primaries;
        const begun = await Promise.all([node, other].map(async each => create(store, { user: await userOn(each) })));
        const copies = Array.from({ length: 64 }, (_, at) => `holdfast:everyone:${at}`);
        for (const key of copies) {
          const owner = await cluster.ownerOf(key);
          if (owner === node) await told(owner.port, 'DEL', key);
        }
        const [lost, kept] = begun;
        expect(await store.read(lost?.id ?? '')).to.equal(undefined);
        expect(await store.read(kept?.id ?? '')).to.deep.equal(kept?.made);
        const next = await create(store, { user: lost?.made.user ?? '' });
        for (const { id, made } of [...begun, next]) expect(await store.read(id)).to.deep.equal(made);
        await store.clear();
        for (const { id } of [...begun, next]) expect(await store.read(id)).to.equal(undefined);
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
          const users = await Promise.all(cluster.primaries.map(userOn));
          const begun = await Promise.all(users.map(user => create(store, { user })));
          await strike(struck);
          try {
            for (const [at, { id, made }] of begun.entries()) {
              if (cluster.primaries[at] === struck) {
                await expectRejection(inTime(store.read(id)), StoreUnavailable);
                await expectRejection(inTime(store.remove(id)), StoreUnavailable);
                await expectRejection(inTime(store.listByUser(made.user)), StoreUnavailable);
                await expectRejection(inTime(store.raiseEpoch(made.user)), StoreUnavailable);
              } else {
                expect(await store.read(id)).to.deep.equal(made);
                expect(await store.replace(id, { ...made, version: 2 })).to.equal('saved');
              }
            }
            await feed.revoke([newHandle()], Date.now() + 60_000);
            expect(await store.ready(20)).to.equal(false);
            await withClientThatIsNotReady(async (early, ready) => {
              const [alive] = begun.filter((_, at) => cluster.primaries[at] !== struck);
              await until(async () => (await early.read(alive?.id ?? '').catch(() => undefined))?.version === 2);
              expect(await ready()).to.equal(false);
            });
            await expectRejection(inTime(store.clear()), StoreUnavailable);
          } finally {
            await heal(struck);
          }
          expect(await store.ready(10_000)).to.equal(true);
          await create(store, { user: await userOn(struck) });
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
      } finally {
        await store.close();
      }
      await new Promise(setImmediate);
      expect(transitions, 'closing reports no recovery').to.deep.equal([
        '127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
      ]);
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
      const users = Array.from({ length: 40 }, (_, at) => `nora-${at}`);
      const begun = await Promise.all(users.map(user => create(store, { user })));
      const [ended, allEnded, kept] = [begun.slice(0, 10), begun.slice(10, 20), begun.slice(20)];
      for (const { id } of ended) expect(await store.remove(id)).to.equal('removed');
      for (const { made } of allEnded) await store.raiseEpoch(made.user);
      const handle = newHandle();
      await feed.revoke([handle], Date.now() + 60_000);
      const dying = await cluster.ownerOf(feedKey);
      await dying.kill();
      await cluster.serves(dying);
      expect(await store.ready(10_000)).to.equal(true);
      for (const { id, made } of kept) expect(await store.read(id)).to.deep.equal(made);
      for (const { id } of [...ended, ...allEnded]) expect(await store.read(id)).to.equal(undefined);
      expect(await store.listByUser('nora-39')).to.have.length(1);
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
