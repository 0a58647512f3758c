import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { everyone } from '#src/sessions/revocation-feed.js';
import { userTagOf } from '#src/sessions/session.js';
import { redis } from '#src/sessions/stores/redis.js';
import { expectRejection } from '../../expect-rejection.js';
import { revocable } from '../../revocable.js';
import { until } from '../../until.js';
import { withRedis } from '../../with-redis.js';

const key = 'holdfast:revoked';

describe('revocations in a Redis stream', () => {
  it('are dropped when later entries arrive, and the stream expires with the last one', () =>
    withFeed(async (feed, raw, clock) => {
      const startMs = clock.nowMs;
      for (let at = 0; at < 200; at++) {
        clock.nowMs = startMs + at * 1_000;
        await feed.revoke([`handle-${at}`], clock.nowMs + 10_000);
      }
      expect(await raw.xlen(key)).to.be.within(10, 12);
      expect(await raw.pttl(key)).to.be.within(8_000, 10_000);
      await feed.revoke(['long'], clock.nowMs + 60_000);
      await feed.revoke(['short'], clock.nowMs + 1_000);
      expect(await raw.pttl(key), 'a shorter one shortens nothing').to.be.within(58_000, 60_000);
    }));

  it('keep one entry of a user whose epoch is raised again and again', () =>
    withFeed(async (feed, raw, clock) => {
      const tags = ['anna', 'ben'].map(userTagOf);
      for (let epoch = 1; epoch <= 50; epoch++)
        for (const tag of tags) await feed.tellEpoch(tag, epoch, clock.nowMs + 60_000);
      await feed.tellEpoch(tags[0] ?? '', 7, clock.nowMs + 60_000);
      const values = (await raw.xrange(key, '-', '+')).map(([, fields]) => fields[3]);
      expect(values).to.deep.equal([...tags.map(tag => `${tag} 50`), `${tags[0]} 7`]);
    }));

  it('replace a foreign value under their key, and are read again', () =>
    withFeed(async (feed, raw, clock) => {
      const other = redis.openFeed?.({ url: feed.url, deadlineMs: 1_000, now: () => clock.nowMs });
      if (other === undefined) throw new Error('redis offers a feed');
      try {
        await raw.set(key, 'not ours');
        await feed.revoke(['one'], clock.nowMs + 60_000);
        expect(await other.ready(5_000)).to.equal(true);
        await raw.set(key, 'not ours again');
        await feed.revoke(['two'], clock.nowMs + 60_000);
        await until(() => ['one', 'two'].every(handle => other.isRevoked(revocable(handle))));
      } finally {
        await other.close();
      }
    }));

  it('are appended again to a server that came back empty and refused writes at first', () =>
    withFeed(async (feed, raw, clock) => {
      await feed.revoke(['one'], clock.nowMs + 60_000);
      await raw.multi().del(key).config('SET', 'min-replicas-to-write', '1').exec();
      await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      // The feed connects and reads an empty stream meanwhile; it cannot append what is missing.
      await setTimeout(700);
      expect(await raw.exists(key)).to.equal(0);
      await raw.config('SET', 'min-replicas-to-write', '0');
      await until(async () => (await raw.xlen(key)) > 0);
    }));

  for (const [what, lose] of [
    ['is deleted', (raw: Redis) => raw.del(key)],
    ['is trimmed', (raw: Redis) => raw.xtrim(key, 'MAXLEN', 1)],
    [
      'loses an entry in the middle',
      async (raw: Redis) => {
        const [, second] = await raw.xrange(key, '-', '+');
        return raw.xdel(key, second?.[0] ?? '');
      },
    ],
  ] as const) {
    it(`are appended again when the stream ${what} and every connection lives`, () =>
      withFeed(async (feed, raw, clock) => {
        for (const handle of ['one', 'two']) await feed.revoke([handle], clock.nowMs + 60_000);
        const owners = [userTagOf('anna'), everyone];
        for (const each of owners) await feed.tellEpoch(each, 1_000, clock.nowMs + 60_000);
        await lose(raw);
        const missing = async () => {
          const text = JSON.stringify(await raw.xrange(key, '-', '+'));
          return ['one', 'two', ...owners].filter(each => !text.includes(each));
        };
        expect(await missing()).not.to.deep.equal([]);
        await until(async () => (await missing()).length === 0);
        const late = redis.openFeed?.({ url: feed.url, deadlineMs: 1_000, now: () => clock.nowMs });
        expect(await late?.ready(5_000)).to.equal(true);
        expect(late?.findEpochs(userTagOf('anna'))).to.deep.equal({ user: 1_000, everyone: 1_000 });
        expect(['one', 'two'].map(handle => late?.isRevoked(revocable(handle)))).to.deep.equal([true, true]);
        await late?.close();
      }));
  }

  it('are refused by a server without memory, like any write', () =>
    withFeed(async (feed, raw, clock) => {
      for (let at = 0; at < 20; at++) await feed.revoke([`handle-${at}`], clock.nowMs + 1_000);
      clock.nowMs += 1_000;
      await raw.config('SET', 'maxmemory', '1');
      await expectRejection(feed.revoke(['late'], clock.nowMs + 60_000), StoreUnavailable);
      expect(feed.isRevoked(revocable('late'))).to.equal(false);
    }));

  it('name no user and no token: entries have only handles, tags, epochs and deadlines', () =>
    withFeed(async (feed, raw, clock) => {
      await feed.revoke(['a', 'b'], clock.nowMs + 60_000);
      await feed.tellEpoch(userTagOf('anna'), 7, clock.nowMs + 60_000);
      await feed.tellEpoch(everyone, 8, clock.nowMs + 60_000);
      const entries = await raw.xrange(key, '-', '+');
      expect(entries.map(([, fields]) => fields)).to.deep.equal([
        ['until', String(clock.nowMs + 60_000), 'handles', 'a b'],
        ['until', String(clock.nowMs + 60_000), 'user', `${userTagOf('anna')} 7`],
        ['until', String(clock.nowMs + 60_000), 'everyone', '8'],
      ]);
    }));
});

function withFeed(work: (feed: Feed, raw: Redis, clock: { nowMs: number }) => Promise<void>): Promise<void> {
  return withRedis(async server => {
    const clock = { nowMs: Date.now() };
    const feed = redis.openFeed?.({ url: server.url, deadlineMs: 1_000, now: () => clock.nowMs });
    if (feed === undefined) throw new Error('redis offers a feed');
    const raw = new Redis(server.url);
    try {
      expect(await feed.ready(5_000)).to.equal(true);
      await work(Object.assign(feed, { url: server.url }), raw, clock);
    } finally {
      raw.disconnect();
      await feed.close();
    }
  });
}

type Feed = NonNullable<ReturnType<NonNullable<typeof redis.openFeed>>> & { readonly url: string };
