import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { StoreUnavailable } from '#src/sessions/errors.js';
import {
  digestOf,
  handleOf,
  type NewSessionRecord,
  newSessionId,
  type SessionRecord,
  userTagOf,
} from '#src/sessions/session.js';
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

  const record = (changes: Partial<NewSessionRecord> = {}): NewSessionRecord => {
    const createdAtMs = Date.now();
    const deadlines = { idleUntilMs: createdAtMs + 60_000, absoluteUntilMs: createdAtMs + 90_000 };
    return { user: 'anna', data: { n: 1 }, version: 1, createdAtMs, ...deadlines, ...changes };
  };
  async function created(changes: Partial<NewSessionRecord> = {}): Promise<{ id: string; made: SessionRecord }> {
    const wanted = record(changes);
    const id = newSessionId(wanted.user);
    return { id, made: { ...wanted, epochs: await store.create(id, wanted) } };
  }
  const keyOf = (user: string) => `holdfast:user:${userTagOf(user)}`;
  const anna = keyOf('anna');
  const fieldsOf = (id: string) => ['m', 'd'].map(letter => `${letter}${handleOf(digestOf(id))}`);

  it('has neither the id nor the user name in a key', async () => {
    const { id } = await created();
    const keys = await raw.keys('*');
    expect(keys).to.have.members([anna, 'holdfast:everyone:0']);
    const everything = JSON.stringify([keys, await raw.hgetall(anna)]);
    expect(everything).not.to.contain(id);
  });

  it('keeps a key until its last session has ended, and its epoch for an hour', async () => {
    const hourMs = 3_600_000;
    const expectLife = async (lifeMs: number) =>
      expect(await raw.pttl(anna)).to.be.within(lifeMs - 2_000, lifeMs + 2_000);
    await created();
    await expectLife(hourMs);
    const nowMs = Date.now();
    const long = await created({ idleUntilMs: nowMs + 2 * hourMs, absoluteUntilMs: nowMs + 3 * hourMs });
    await expectLife(2 * hourMs);
    await created();
    await expectLife(2 * hourMs);
    await store.touch(long.id, nowMs + 4 * hourMs);
    await expectLife(3 * hourMs);
    await store.raiseEpoch('anna');
    await expectLife(3 * hourMs);
  });

  it('prunes what has ended long ago at a login, and nothing that has just expired', async () => {
    const nowMs = Date.now();
    const [past, justPast] = [nowMs - 600_001, nowMs - 590_000];
    for (const idleUntilMs of [past, justPast]) await created({ idleUntilMs });
    await raw.hset(anna, { mforeign: 'no session', dforeign: '{}' });
    const { id } = await created();
    expect(await raw.hkeys(anna)).to.have.length(1 + 2 * 3);
    expect(await raw.hkeys(anna)).to.include.members(fieldsOf(id));
  });

  it('keeps its TTL through a replace', async () => {
    const { id, made } = await created();
    const before = await raw.pexpiretime(anna);
    await store.replace(id, { ...made, version: 2 });
    expect(await raw.pexpiretime(anna)).to.equal(before);
  });

  it('reads in one round trip with two commands, and writes in one', async () => {
    const { id, made } = await created();
    await store.replace(id, { ...made, version: 2 });
    const before = await commandsOf(raw);
    const events = await eventsOf(raw);
    await store.read(id);
    // Each count costs one event and one command.
    expect((await eventsOf(raw)) - events - 1, 'round trips').to.equal(1);
    expect((await commandsOf(raw)) - before - 3, 'commands').to.equal(2);
    const script = await scriptsOf(raw);
    await store.replace(id, { ...made, version: 3 });
    expect((await scriptsOf(raw)) - script, 'replace').to.equal(1);
  });

  it('sends parallel commands in one write', async () => {
    const before = await eventsOf(raw);
    await Promise.all(Array.from({ length: 40 }, () => store.read(newSessionId('anna'))));
    // One event for the forty commands, and one for this count. A third is tolerated.
    expect((await eventsOf(raw)) - before).to.be.lessThan(4);
  });

  for (const [what, head, json] of [
    ['no JSON', '1 9000000000000000 9000000000000000 1 1 1 anna', '{"cut'],
    ['JSON that is no object', '1 9000000000000 9000000000000 1 1 1 anna', '[1]'],
    ['no data', '1 9000000000000 9000000000000 1 1 1 anna', undefined],
    ['a deadline that is no number', '1 never 9000000000000 1 1 1 anna', '{}'],
    ['a session without epochs', '1 9000000000000 9000000000000 1 anna', '{}'],
  ] as const) {
    it(`treats ${what} as no session`, async () => {
      const id = newSessionId('anna');
      await raw.set('holdfast:everyone:0', '1');
      const [headField = '', dataField = ''] = fieldsOf(id);
      const fields = { e: '1', [headField]: `${digestOf(id)} ${head}` };
      await raw.hset(anna, json === undefined ? fields : { ...fields, [dataField]: json });
      expect(await store.read(id)).to.equal(undefined);
    });
  }

  for (const [what, lose] of [
    ['of the user was lost', () => raw.hdel(anna, 'e')],
    ['of the user is no number', () => raw.hset(anna, 'e', 'xyz')],
    ['of the user is NaN', () => raw.hset(anna, 'e', 'nan')],
    ['of everyone was lost', () => raw.del('holdfast:everyone:0')],
    ['of everyone is NaN', () => raw.set('holdfast:everyone:0', 'nan')],
  ] as const) {
    it(`treats a session as ended if the epoch ${what}, also after the next login`, async () => {
      const { id, made } = await created();
      await lose();
      expect(await store.read(id)).to.equal(undefined);
      expect(await store.replace(id, { ...made, version: 2 })).to.equal('gone');
      const next = await created();
      expect(await store.read(id)).to.equal(undefined);
      expect(await store.read(next.id)).to.deep.equal(next.made);
    });
  }

  it('treats a foreign key as no session, and create replaces it', async () => {
    const [id, made] = [newSessionId('anna'), record()];
    await raw.set(anna, 'not ours');
    expect(await store.read(id)).to.equal(undefined);
    expect(await store.touch(id, made.idleUntilMs)).to.equal(false);
    expect(await store.replace(id, { ...made, version: 2, epochs: { user: 1, everyone: 1 } })).to.equal('gone');
    expect(await store.remove(id)).to.equal('gone');
    expect(await store.listByUser('anna')).to.deep.equal([]);
    const epochs = await store.create(id, made);
    expect(await store.read(id)).to.deep.equal({ ...made, epochs });
    await raw.set(anna, 'not ours');
    await store.raiseEpoch('anna');
    expect(await raw.hkeys(anna)).to.deep.equal(['e']);
  });

  it('lists the other sessions when one is foreign', async () => {
    const made = [await created(), await created(), await created()];
    await raw.hset(anna, fieldsOf(made[1]?.id ?? '')[0] ?? '', 'not ours');
    expect(await store.listByUser('anna')).to.have.length(2);
  });

  it('reads back a user name with spaces, line breaks and digits', async () => {
    const { id, made } = await created({ user: '1 2 3\n4 \u{1f980}' });
    await store.touch(id, made.idleUntilMs);
    expect(await store.read(id)).to.deep.equal(made);
    expect(await store.listByUser(made.user)).to.have.length(1);
    expect(await store.remove(id)).to.equal('removed');
    expect(await raw.hkeys(keyOf(made.user))).to.deep.equal(['e']);
  });

  it('ends the oldest session of a user that begins more than a thousand, and counts it', async () => {
    const nowMs = Date.now();
    const first = await created({ user: 'many', createdAtMs: nowMs - 1 });
    const second = await created({ user: 'many', createdAtMs: nowMs });
    for (let begun = 0; begun < 999; begun += 111)
      await Promise.all(Array.from({ length: 111 }, () => created({ user: 'many', createdAtMs: nowMs + 1 })));
    expect(await store.read(first.id)).to.equal(undefined);
    expect(await store.read(second.id)).to.deep.equal(second.made);
    await created({ user: 'many', epochs: second.made.epochs });
    expect(await store.read(second.id), 'a rotation ends no session').to.deep.equal(second.made);
    expect(await store.statistics?.()).to.deep.equal({ evictions: 1 });
  });

  it('keeps sessions ended that an older snapshot brings back, and raises its epoch again', async () => {
    const { id, made } = await created();
    const [user, everyone] = await Promise.all([raw.dumpBuffer(anna), raw.dumpBuffer('holdfast:everyone:0')]);
    const restore = async () => {
      await raw.restore(anna, 0, user, 'REPLACE');
      await raw.restore('holdfast:everyone:0', 0, everyone, 'REPLACE');
    };
    const epoch = await store.raiseEpoch('anna');
    await restore();
    expect(await store.touch(id, made.idleUntilMs)).to.equal(false);
    expect(await store.listByUser('anna')).to.deep.equal([]);
    expect(await store.read(id)).to.equal(undefined);
    while ((await raw.hget(anna, 'e')) !== String(epoch)) await delay(5);
    await restore();
    const next = await created();
    expect(next.made.epochs.user).to.equal(epoch);
    await store.clear();
    await restore();
    for (const each of [id, next.id]) expect(await store.read(each)).to.equal(undefined);
    while ((await raw.get('holdfast:everyone:0')) === String(made.epochs.everyone)) await delay(5);
  });

  it('works after the server lost its scripts', async () => {
    const { id, made } = await created();
    await raw.script('FLUSH');
    expect(await store.replace(id, { ...made, version: 2 })).to.equal('saved');
    expect(await store.touch(id, made.idleUntilMs)).to.equal(true);
    await raw.script('FLUSH');
    expect(await store.remove(id)).to.equal('removed');
  });

  it('never resends a write whose reply was lost: it rejects at once and was carried out once', async () => {
    const { id, made } = await created();
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
      const { id, made } = await created();
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
        await told.create(newSessionId('anna'), record());
        return transitions.length > 1;
      });
      expect(transitions.slice(1)).to.deep.equal(['up: it takes writes again']);
    }));

  it('refuses logins that do not fit, keeps none of them, and still ends sessions', () =>
    withTransitions(async told => {
      const [ended, kept] = [await created({ user: 'ben' }), await created({ user: 'ben' })];
      const big = record({ data: { blob: 'x'.repeat(50_000) } });
      const used = async () => numberIn(await raw.info('memory'), /used_memory:(\d+)/);
      const full = (await used()) + 1_000_000;
      await raw.config('SET', 'maxmemory', String(full));
      const logins = Array.from({ length: 100 }, () => told.create(newSessionId('anna'), big));
      const outcomes = await Promise.allSettled(logins);
      expect(outcomes.filter(({ status }) => status === 'rejected')).not.to.have.length(0);
      expect(await used()).to.be.lessThan(full + 200_000);
      const foreign = keyOf('cara');
      await raw.config('SET', 'maxmemory', '0');
      await raw.set(foreign, 'not ours');
      await raw.config('SET', 'maxmemory', '1');
      await expectRejection(told.create(newSessionId('cara'), record({ user: 'cara' })), StoreUnavailable);
      expect(await raw.get(foreign)).to.equal('not ours');
      const epoch = await told.raiseEpoch('ben', kept.id);
      expect(await told.read(ended.id)).to.equal(undefined);
      expect((await told.read(kept.id))?.epochs.user).to.equal(epoch);
      await told.clear();
      expect(await told.read(kept.id)).to.equal(undefined);
    }));

  for (const [policy, bytes, isWarned] of [
    ['allkeys-lru', '100mb', true],
    ['volatile-ttl', '100mb', true],
    ['allkeys-lru', '0', false],
    ['noeviction', '100mb', false],
  ] as const) {
    it(`${isWarned ? 'warns once' : 'does not warn'}: maxmemory ${bytes}, maxmemory-policy ${policy}`, async () => {
      await raw.config('SET', 'maxmemory', bytes, 'maxmemory-policy', policy);
      const warnings: string[] = [];
      const onWarning = (warning: string) => void warnings.push(warning);
      const told = redis.open({ url: server.url, deadlineMs: 1_000, now: Date.now, onWarning });
      try {
        expect(await told.ready(5_000)).to.equal(true);
        if (isWarned) await until(async () => warnings.length > 0);
        expect(warnings.map(text => text.includes(policy))).to.deep.equal(isWarned ? [true] : []);
      } finally {
        await raw.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction');
        await told.close();
      }
    });
  }

  it('leaves a server that became a replica, and reports why', () =>
    withTransitions(async (told, transitions) => {
      const { id, made } = await created();
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
