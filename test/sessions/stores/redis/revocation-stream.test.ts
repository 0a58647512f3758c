import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { redis } from '#src/sessions/stores/redis.js';
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
        await until(() => ['one', 'two'].every(handle => other.isRevoked(handle, 0)));
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

  it('name no user and no token: entries have only handles and deadlines', () =>
    withFeed(async (feed, raw, clock) => {
      await feed.revoke(['a', 'b'], clock.nowMs + 60_000);
      await feed.revokeEveryone(clock.nowMs + 60_000);
      const entries = await raw.xrange(key, '-', '+');
      expect(entries.map(([, fields]) => fields)).to.deep.equal([
        ['until', String(clock.nowMs + 60_000), 'handles', 'a b'],
        ['until', String(clock.nowMs + 60_000), 'everyone', String(clock.nowMs)],
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
