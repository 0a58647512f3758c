import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { noEpochs } from '#src/sessions/end-sessions.js';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { digestOf, newSessionId, type SessionRecord } from '#src/sessions/session.js';
import type { SessionStore, StoreTransition } from '#src/sessions/session-store.js';
import { redis } from '#src/sessions/stores/redis.js';
import { expectRejection } from '../expect-rejection.js';
import { until } from '../until.js';
import { type RedisServer, startRedis } from '../with-redis.js';
import { withRelay } from '../with-relay.js';

describe('redis store', () => {
  let server: RedisServer;
  let raw: Redis;
  let store: SessionStore;

  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());
  beforeEach(async () => {
    raw = new Redis(server.url);
    store = redis.open({ url: server.url, deadlineMs: 1_000, now: Date.now });
    await store.ready(5_000);
    await raw.flushall();
  });
  afterEach(async () => {
    raw.disconnect();
    await store.close();
  });

  const record = (changes: Partial<SessionRecord> = {}): SessionRecord => {
    const createdAtMs = Date.now();
    const deadlines = { idleUntilMs: createdAtMs + 60_000, absoluteUntilMs: createdAtMs + 90_000 };
    return { user: 'anna', data: { n: 1 }, version: 1, createdAtMs, ...deadlines, epochs: noEpochs, ...changes };
  };
  const keyOf = (id: string) => `holdfast:session:${digestOf(id)}`;

  it('has neither the id nor the user name in a key', async () => {
    const id = newSessionId('anna');
    await store.create(id, record());
    const keys = await raw.keys('*');
    expect(keys).to.have.members([keyOf(id), `holdfast:user:${digestOf('anna')}`]);
    const everything = JSON.stringify([
      keys,
      await raw.hgetall(keyOf(id)),
      await raw.zrange(keys.sort()[1] ?? '', '0', '-1'),
    ]);
    expect(everything).not.to.contain(id);
  });

  it('lists live sessions behind a thousand that timed out', async () => {
    const list = `holdfast:user:${digestOf('anna')}`;
    const soon = Date.now() + 60_000;
    await raw.zadd(list, ...Array.from({ length: 1_000 }, (_, n) => [soon, `dead-${n}`]).flat());
    await store.create(newSessionId('anna'), record());
    expect(await store.listByUser('anna')).to.have.length(1);
    expect(await raw.zcard(list)).to.equal(1);
  });

  it('sets the TTL to the earlier deadline, and moves it with a touch', async () => {
    const [idle, absolute] = [newSessionId('anna'), newSessionId('anna')];
    const made = record();
    await store.create(idle, made);
    await store.create(absolute, record({ absoluteUntilMs: made.createdAtMs + 30_000 }));
    const expectTtl = async (id: string, untilMs: number) =>
      expect(await raw.pexpiretime(keyOf(id))).to.be.within(untilMs, untilMs + 4_000);
    await expectTtl(idle, made.idleUntilMs);
    await expectTtl(absolute, made.createdAtMs + 30_000);
    await store.touch(idle, made.idleUntilMs + 5_000);
    await expectTtl(idle, made.idleUntilMs + 5_000);
    await store.touch(idle, made.absoluteUntilMs + 5_000);
    await expectTtl(idle, made.absoluteUntilMs);
  });

  it('keeps its TTL through a replace', async () => {
    const id = newSessionId('anna');
    const made = record();
    await store.create(id, made);
    const before = await raw.pexpiretime(keyOf(id));
    await store.replace(id, { ...made, version: 2 });
    expect(await raw.pexpiretime(keyOf(id))).to.equal(before);
  });

  it('reads in one command and writes in one', async () => {
    const id = newSessionId('anna');
    const made = record();
    await store.create(id, made);
    await store.replace(id, { ...made, version: 2 });
    const before = await commandsOf(raw);
    await store.read(id);
    expect((await commandsOf(raw)) - before - 1, 'read').to.equal(1);
    const script = await scriptsOf(raw);
    await store.replace(id, { ...made, version: 3 });
    expect((await scriptsOf(raw)) - script, 'replace').to.equal(1);
  });

  it('sends parallel commands in one write', async () => {
    const before = await eventsOf(raw);
    await Promise.all(Array.from({ length: 40 }, () => store.read(newSessionId('anna'))));
    // One for the forty commands, one for this count, and one to spare.
    expect((await eventsOf(raw)) - before).to.be.lessThan(4);
  });

  for (const [what, plant] of [
    ['a string', (key: string) => raw.set(key, 'not ours')],
    ['another hash', (key: string) => raw.hset(key, { name: 'value' })],
    ['no JSON', (key: string) => raw.hset(key, { m: '1 9000000000000000 9000000000000000 1 anna', d: '{"cut' })],
    ['JSON that is no object', (key: string) => raw.hset(key, { m: '1 9000000000000 9000000000000 1 anna', d: '[1]' })],
    ['no data', (key: string) => raw.hset(key, { m: '1 9000000000000 9000000000000 1 anna' })],
    ['a deadline that is no number', (key: string) => raw.hset(key, { m: '1 never 9000000000000 1 anna', d: '{}' })],
  ] as const) {
    it(`treats ${what} under a session key as no session`, async () => {
      const id = newSessionId('anna');
      await plant(keyOf(id));
      expect(await store.read(id)).to.equal(undefined);
    });
  }

  it('treats a foreign key as no session in writes too, and create replaces it', async () => {
    const [id, made] = [newSessionId('anna'), record()];
    await raw.set(keyOf(id), 'not ours');
    expect(await store.touch(id, made.idleUntilMs)).to.equal(false);
    expect(await store.replace(id, { ...made, version: 2 })).to.equal('gone');
    await store.create(id, made);
    expect(await store.read(id)).to.deep.equal(made);
  });

  it('lists the other sessions when one key is foreign, and keeps all entries', async () => {
    const ids = [newSessionId('anna'), newSessionId('anna'), newSessionId('anna')];
    for (const id of ids) await store.create(id, record());
    await raw.set(keyOf(ids[1] ?? ''), 'not ours');
    expect(await store.listByUser('anna')).to.have.length(2);
    expect(await store.listByUser('anna')).to.have.length(2);
  });

  it('replaces a foreign value under the key of a list', async () => {
    await raw.set(`holdfast:user:${digestOf('anna')}`, 'not ours');
    expect(await store.listByUser('anna')).to.deep.equal([]);
    await store.create(newSessionId('anna'), record());
    expect(await store.listByUser('anna')).to.have.length(1);
  });

  it('reads back a user name with spaces, line breaks and digits', async () => {
    const id = newSessionId('anna');
    const made = record({ user: '1 2 3\n4 \u{1f980}' });
    await store.create(id, made);
    await store.touch(id, made.idleUntilMs);
    expect(await store.read(id)).to.deep.equal(made);
    expect(await store.listByUser(made.user)).to.have.length(1);
    expect(await store.remove(id)).to.equal('removed');
    while ((await raw.dbsize()) > 0) await delay(5);
  });

  it('drops ended sessions from the list of their user', async () => {
    const list = `holdfast:user:${digestOf('anna')}`;
    const [kept, removed, lost] = [newSessionId('anna'), newSessionId('anna'), newSessionId('anna')];
    for (const id of [kept, removed, lost]) await store.create(id, record());
    await store.remove(removed);
    await raw.del(keyOf(lost));
    expect(await store.listByUser('anna')).to.have.length(1);
    while ((await raw.zcard(list)) > 1) await delay(5);
    expect(await raw.zrange(list, '0', '-1')).to.deep.equal([digestOf(kept)]);
    const past = record({ absoluteUntilMs: Date.now() - 1 });
    await raw.zadd(list, past.absoluteUntilMs, 'long past');
    await store.create(newSessionId('anna'), record({ absoluteUntilMs: Date.now() + 120_000 }));
    expect(await raw.zrange(list, '0', '-1')).not.to.contain('long past');
    expect(await raw.pttl(list)).to.be.within(110_000, 121_000);
  });

  it('works after the server lost its scripts', async () => {
    const id = newSessionId('anna');
    const made = record();
    await store.create(id, made);
    await raw.script('FLUSH');
    expect(await store.replace(id, { ...made, version: 2 })).to.equal('saved');
    expect(await store.touch(id, made.idleUntilMs)).to.equal(true);
    await raw.script('FLUSH');
    expect(await store.remove(id)).to.equal('removed');
  });

  it('never resends a write whose reply was lost: it rejects at once and was carried out once', async () => {
    const id = newSessionId('anna');
    const made = record();
    await store.create(id, made);
    await withRelay(Number(new URL(server.url).port), async relay => {
      const far = redis.open({ url: `redis://127.0.0.1:${relay.port}`, deadlineMs: 2_000, now: Date.now });
      try {
        expect(await far.ready(5_000)).to.equal(true);
        relay.loseAnswers();
        const lost = expectRejection(far.replace(id, { ...made, version: 2 }), StoreUnavailable);
        while ((await store.read(id))?.version !== 2) await delay(5);
        const scripts = await scriptsOf(raw);
        const cutAt = performance.now();
        relay.cut();
        await lost;
        expect(performance.now() - cutAt).to.be.lessThan(500);
        expect(await far.ready(5_000)).to.equal(true);
        expect((await far.read(id))?.version).to.equal(2);
        expect(await scriptsOf(raw)).to.equal(scripts);
      } finally {
        await far.close();
      }
    });
  });

  it('sends a hung server one command: later calls reject at once', async () => {
    const deadlineMs = 300;
    const hasty = redis.open({ url: server.url, deadlineMs, now: Date.now });
    try {
      expect(await hasty.ready(5_000)).to.equal(true);
      server.freeze();
      await expectRejection(hasty.read(newSessionId('anna')), StoreUnavailable);
      for (const _ of [1, 2, 3]) {
        const startedAt = performance.now();
        await expectRejection(hasty.read(newSessionId('anna')), StoreUnavailable);
        expect(performance.now() - startedAt).to.be.lessThan(deadlineMs / 2);
      }
    } finally {
      server.thaw();
      await hasty.close();
    }
  });

  /** Opens a store that records its transitions. The server is restored afterwards. */
  async function withTransitions(
    work: (told: SessionStore, transitions: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const transitions: string[] = [];
    const onTransition = ({ up, why }: StoreTransition) => void transitions.push(`${up ? 'up' : 'down'}: ${why}`);
    const told = redis.open({ url: server.url, deadlineMs: 1_000, now: Date.now, onTransition });
    try {
      expect(await told.ready(5_000)).to.equal(true);
      await work(told, transitions);
    } finally {
      await raw.config('SET', 'maxmemory', '0');
      await raw.replicaof('NO', 'ONE');
      await told.close();
    }
  }

  it('reports refused writes once, still reads, and reports the recovery once', () =>
    withTransitions(async (told, transitions) => {
      const [id, made] = [newSessionId('anna'), record()];
      await told.create(id, made);
      await raw.config('SET', 'maxmemory', '1');
      for (const _ of [1, 2, 3]) {
        await expectRejection(told.replace(id, { ...made, version: 2 }), StoreUnavailable);
        expect(await told.read(id)).to.deep.equal(made);
      }
      expect(transitions).to.have.length(1);
      expect(transitions[0]).to.match(/^down: it refuses writes: OOM /);
      expect(await told.remove(id), 'a logout needs no memory').to.equal('removed');
      expect(transitions).to.have.length(1);
      await raw.config('SET', 'maxmemory', '0');
      await until(async () => {
        await told.create(newSessionId('anna'), made);
        return transitions.length > 1;
      });
      expect(transitions.slice(1)).to.deep.equal(['up: it takes writes again']);
    }));

  it('leaves a server that became a replica, and reports why', () =>
    withTransitions(async (told, transitions) => {
      const [id, made] = [newSessionId('anna'), record()];
      await told.create(id, made);
      await raw.replicaof('127.0.0.1', 1);
      await expectRejection(told.replace(id, { ...made, version: 2 }), StoreUnavailable);
      await raw.replicaof('NO', 'ONE');
      expect(await told.ready(5_000)).to.equal(true);
      expect(await told.replace(id, { ...made, version: 2 })).to.equal('saved');
      expect(transitions[0]).to.match(/^down: READONLY /);
      expect(transitions.slice(1)).to.deep.equal(['up: connected again']);
    }));

  it('rejects an address of another kind, and shows an example', () => {
    for (const url of [undefined, '', 'localhost', 'http://127.0.0.1:6379', '127.0.0.1:6379']) {
      expect(() => redis.open({ url, deadlineMs: 100, now: Date.now })).to.throw('redis://127.0.0.1:6379');
    }
  });
});

async function commandsOf(raw: Redis): Promise<number> {
  return numberIn(await raw.info('stats'), /total_commands_processed:(\d+)/);
}

/** Returns the number of times that the server read from its connections. */
async function eventsOf(raw: Redis): Promise<number> {
  return numberIn(await raw.info('stats'), /total_reads_processed:(\d+)/);
}

async function scriptsOf(raw: Redis): Promise<number> {
  return numberIn(await raw.info('commandstats'), /cmdstat_eval(?:sha)?:calls=(\d+)/g);
}

function numberIn(text: string, pattern: RegExp): number {
  const matches = pattern.global ? [...text.matchAll(pattern)] : [pattern.exec(text)];
  return matches.reduce((sum, match) => sum + Number(match?.[1] ?? 0), 0);
}
