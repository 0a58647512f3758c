import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import type { Handler } from '#src/sessions/request-session.js';
import { digestOf, handleOf, newSessionId } from '#src/sessions/session.js';
import { openSessions } from '#src/sessions/sessions.js';
import { redis } from '#src/sessions/stores/redis.js';
import { expectRejection } from '../../expect-rejection.js';
import { revocable } from '../../revocable.js';
import { sessionStoreContract } from '../../session-store.contract.js';
import { until } from '../../until.js';
import { type SentinelGroup, startSentinel } from '../../with-sentinel.js';
import { withServer } from '../../with-server.js';
import { create, expectPushed, inTime, newHandle, succeeds, withClient } from './redis-client.js';

const downAfterMs = 500;

const begin: Handler = async context => {
  await context.begin('anna', {});
  return { status: 200, body: 'welcome' };
};

const end: Handler = async context => {
  await context.end();
  return { status: 200 };
};

describe('redis behind Sentinel', () => {
  let group: SentinelGroup;

  before(async () => {
    group = await startSentinel(downAfterMs);
  });
  after(() => group.stop());

  const replicated = () => `${group.url}?replicas=1`;

  for (const query of ['', '?replicas=1']) {
    describe(`with "${query}"`, () => {
      const lab = async () => ({ server: undefined, url: `${group.url}${query}`, stop: async () => undefined });
      sessionStoreContract(redis, lab, { outages: false });
    });
  }

  // The last case breaks up the group. So these run after the contract, in a block of their own.
  describe('and its replica', () => {
    it('pushes revocations to every process', () =>
      withClient(group.url, one => withClient(replicated(), other => expectPushed(other.feed, one.feed))));

    it('rejects begins and ends while the replica hangs; reads, changes and touches work', () =>
      withClient(replicated(), async ({ store, feed, transitions }) => {
        const { id, made } = await create(store, { user: 'ben' });
        const ended = await create(store, { user: 'berta' });
        group.replica.freeze();
        try {
          // Redis checks its clock every 100 ms. Now and then its reply is late for that reason; that is no transition.
          const refused = (ask: () => Promise<unknown>, told: number) =>
            until(async () => {
              await expectRejection(inTime(ask()), StoreUnavailable);
              return transitions.length === told;
            });
          await refused(() => create(store), 1);
          await refused(() => store.remove(ended.id), 2);
          await expectRejection(inTime(store.remove(ended.id)), StoreUnavailable);
          await expectRejection(inTime(store.raiseEpoch('berta')), StoreUnavailable);
          await expectRejection(inTime(store.removeByHandle('berta', 'f'.repeat(16))), StoreUnavailable);
          await expectRejection(inTime(feed.revoke([newHandle()], Date.now() + 60_000)), StoreUnavailable);
          expect(await store.listByUser('ben'), 'of the other one nothing is seen').to.have.length(1);
          expect(await store.replace(id, { ...made, version: 2 })).to.equal('saved');
          expect(await store.touch(id, made.idleUntilMs)).to.equal(true);
          expect(await store.read(id)).to.deep.equal({ ...made, version: 2 });
          await withClient(group.url, async unreplicated => {
            await create(unreplicated.store);
            expect(unreplicated.transitions).to.deep.equal([]);
          });
        } finally {
          group.replica.thaw();
        }
        await succeeds(() => create(store));
        expect(await store.remove(id)).to.equal('removed');
        await until(async () => {
          await create(store);
          await store.remove(newSessionId('anna'));
          return transitions.length > 2;
        });
        expect(transitions[0]).to.match(/^down: it refuses replicated writes: 0 of the 1 replicas .* within 300 ms$/);
        expect(transitions[1]).to.match(/^down: it refuses replicated removals: /);
        expect(transitions.slice(2).join()).to.match(/^up: it takes replicated (?:writes|removals) again$/);
      }));

    it('counts replicas for many writes at once, one of them late', () =>
      withClient(replicated(), async ({ store }) => {
        const begun = await Promise.all(Array.from({ length: 50 }, () => create(store)));
        group.replica.freeze();
        const ends = begun.map(({ id }) => inTime(store.remove(id)));
        const outcomes = await Promise.allSettled(ends).finally(group.replica.thaw);
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.deep.equal([]);
        await succeeds(() => create(store));
      }));

    it('returns 503 without a cookie for an unreplicated login, and 200 without ?replicas', async () => {
      const login = async (url: string) => {
        const sessions = await openSessions({ strategy: 'reference', store: 'redis', storeUrl: url });
        try {
          expect(await sessions.ready(5_000)).to.equal(true);
          return await withServer(sessions, { '/login': begin }, ask => ask('/login'));
        } finally {
          await sessions.close();
        }
      };
      group.replica.freeze();
      try {
        const refused = await login(replicated());
        expect([refused.status, refused.headers.get('retry-after'), refused.cookie]).to.deep.equal([
          503,
          '1',
          undefined,
        ]);
        expect((await login(group.url)).status).to.equal(200);
      } finally {
        group.replica.thaw();
      }
      await until(async () => (await login(replicated())).status === 200);
    });

    for (const strategy of ['reference', 'jwt', 'sealed']) {
      it(`returns 503 for every logout of a session in ${strategy} until the replica has its end`, async () => {
        const sessions = await openSessions({ strategy, store: 'redis', storeUrl: replicated() });
        const routes = { '/login': begin, '/logout': end };
        try {
          expect(await sessions.ready(5_000)).to.equal(true);
          await withServer(sessions, routes, async ask => {
            const { cookie = '' } = await ask('/login');
            const logout = async () => (await ask('/logout', { cookie })).status;
            group.replica.freeze();
            try {
              expect([await logout(), await logout(), await logout()]).to.deep.equal([503, 503, 503]);
            } finally {
              group.replica.thaw();
            }
            await until(async () => (await logout()) === 200);
          });
        } finally {
          await sessions.close();
        }
      });
    }

    it('recovers after a failover: replicated sessions are there, and ended ones stay ended', () =>
      withClient(replicated(), async ({ store, feed }) =>
        withClient(group.url, async other => {
          const [kept, ended] = [await create(store, { user: 'cara' }), await create(store, { user: 'cara' })];
          const disabled = await create(store, { user: 'dora' });
          await store.remove(ended.id);
          await store.raiseEpoch('dora');
          const revoked = newHandle();
          await feed.revoke([revoked], Date.now() + 60_000);
          await group.primary.kill();
          for (const each of [store, other.store]) await expectRejection(inTime(each.read(kept.id)), StoreUnavailable);
          await group.failedOver();
          for (const each of [store, other.store]) expect(await each.ready(5_000)).to.equal(true);
          expect(await store.read(kept.id)).to.deep.equal(kept.made);
          for (const { id } of [ended, disabled]) expect(await store.read(id)).to.equal(undefined);
          expect((await store.listByUser('cara')).map(({ handle }) => handle)).to.deep.equal([
            handleOf(digestOf(kept.id)),
          ]);
          await create(other.store);
          await withClient(group.url, async late => {
            expect(late.feed.isRevoked(revocable(revoked)), 'who boots now is told').to.equal(true);
            await succeeds(() => expectPushed(late.feed, other.feed));
          });
          await expectRejection(create(store), StoreUnavailable);
          expect(other.transitions[0]).to.match(/^down: /);
          expect(other.transitions.slice(1)).to.deep.equal(['up: connected again']);
        }),
      ));
  });
});
