import assert from 'node:assert/strict';
import { SessionExists, StoreUnavailable } from '../errors.js';
import { digestOf, handleOf, type NewSessionRecord, newSecret, newSessionId, type SessionRecord } from '../session.js';
import type { SessionStore } from '../session-store.js';
import { append, assertMembers, assertWithin } from './contract-help.js';
import type { ContractSubject, StoreLab, TestRunner } from './contract-subject.js';
import { epochsContract } from './epochs-contract.js';

export type * from './contract-subject.js';

const deadlineMs = 1_000;
const epochs = { user: 1, everyone: 1 };
/** Tolerance for a machine that is busy with other tests. A call that hangs would be seconds late. */
const graceMs = 300;
const idleMs = 1_800_000;
const absoluteMs = 43_200_000;

/**
 * Registers the contract of `SessionStore` for one store: what its interface says, as tests. It is the suite of the
 * stores of Holdfast itself. The runner is Mocha, or anything with the same functions:
 *
 *   import * as runner from 'node:test';
 *   storeContract(runner, { entry: myStore, startLab: async () => ({ url: undefined, stop: async () => {} }) });
 */
export function storeContract(
  { describe, it, before, after, beforeEach, afterEach }: TestRunner,
  { entry, startLab, outages = true }: ContractSubject,
): void {
  let lab: StoreLab;
  let store: SessionStore;
  let nowMs: number;

  before(async () => {
    lab = await startLab();
  });
  after(() => lab.stop());
  beforeEach(async () => {
    nowMs = Date.now();
    store = await openStore();
  });
  afterEach(() => store.close());

  async function openStore(): Promise<SessionStore> {
    const another = entry.open({ url: lab.url, deadlineMs, now: () => nowMs });
    assert.equal(await another.ready(5_000), true);
    return another;
  }

  function record(changes: Partial<NewSessionRecord> = {}): NewSessionRecord {
    const times = { createdAtMs: nowMs, idleUntilMs: nowMs + idleMs, absoluteUntilMs: nowMs + absoluteMs };
    return { user: 'anna', data: { cart: ['tea'], note: 'ü "quoted" \u2028' }, version: 1, ...times, ...changes };
  }

  async function createSession(changes: Partial<NewSessionRecord> = {}): Promise<{ id: string; made: SessionRecord }> {
    const wanted = record(changes);
    const id = newSessionId(wanted.user);
    return { id, made: { ...wanted, epochs: await store.create(id, wanted) } };
  }

  describe('create and read', () => {
    it('reads back what was created', async () => {
      const { id, made } = await createSession();
      assert.deepEqual(await store.read(id), made);
    });

    it('rejects a second create and keeps the first', async () => {
      const { id, made } = await createSession();
      await assert.rejects(store.create(id, record({ data: {} })), SessionExists);
      assert.deepEqual(await store.read(id), made);
    });

    it('lets exactly one of many parallel creates win', async () => {
      const id = newSessionId('anna');
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => store.create(id, record())));
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    });

    it('read resolves with undefined for an unknown id', async () => {
      assert.equal(await store.read(newSessionId('anna')), undefined);
    });

    it('shares no object with callers', async () => {
      const { id, made } = await createSession({ data: { cart: ['tea'] } });
      made.data.cart = 'spoiled by the creator';
      const first = await store.read(id);
      if (first !== undefined) first.data.cart = 'spoiled by a reader';
      assert.deepEqual((await store.read(id))?.data, { cart: ['tea'] });
    });

    for (const hours of [-5, 5]) {
      it(`uses the clock of its callers, even if it is ${hours} h off`, async () => {
        nowMs += hours * 3_600_000;
        const { id, made } = await createSession({ user: `user-${newSecret()}` });
        assert.deepEqual(await store.read(id), made);
        assert.equal(await store.touch(id, made.idleUntilMs + 60_000), true);
        assert.deepEqual(await store.read(id), { ...made, idleUntilMs: made.idleUntilMs + 60_000 });
        assert.equal((await store.listByUser(made.user)).length, 1);
      });
    }

    for (const [limit, changes] of [
      ['idle', { idleUntilMs: Date.now() + 600_000 }],
      ['absolute', { absoluteUntilMs: Date.now() + 600_000 }],
    ] as const) {
      it(`ends a session at its ${limit} deadline, not before, for every call`, async () => {
        const { id, made } = await createSession({ ...changes, user: `user-${newSecret()}` });
        nowMs = Math.min(made.idleUntilMs, made.absoluteUntilMs) - 1;
        assert.deepEqual(await store.read(id), made);
        nowMs += 1;
        assert.equal(await store.read(id), undefined);
        assert.equal(await store.touch(id, nowMs + idleMs), false);
        assert.equal(await store.replace(id, { ...made, version: 2 }), 'gone');
        assert.deepEqual(await store.listByUser(made.user), []);
        assert.equal(await store.remove(id), 'gone');
        nowMs -= 1;
        assert.equal(await store.read(id), undefined);
      });
    }
  });

  describe('replace', () => {
    it('replaces the previous version, and only the data', async () => {
      const { id, made } = await createSession();
      const data = { cart: [] };
      const moved = { idleUntilMs: nowMs + 1, absoluteUntilMs: nowMs + 2, createdAtMs: 0 };
      assert.equal(await store.replace(id, { ...made, ...moved, data, version: 2 }), 'saved');
      assert.deepEqual(await store.read(id), { ...made, data, version: 2 });
    });

    it('reports a conflict for an old, the same and a future version', async () => {
      const { id, made } = await createSession();
      const second = { ...made, version: 2, data: { second: true } };
      await store.replace(id, second);
      for (const version of [1, 2, 4, 30]) {
        assert.equal(await store.replace(id, { ...made, version }), 'conflict', `version ${version}`);
      }
      assert.deepEqual(await store.read(id), second);
    });

    it('creates no session: neither after a removal nor for an unknown id', async () => {
      const { id, made } = await createSession();
      await store.remove(id);
      assert.equal(await store.replace(id, { ...made, version: 2 }), 'gone');
      assert.equal(await store.read(id), undefined);
      const unknown = newSessionId('anna');
      assert.equal(await store.replace(unknown, { ...made, version: 1 }), 'gone');
      assert.equal(await store.read(unknown), undefined);
    });

    it('loses no parallel edit of two clients', async () => {
      const { id } = await createSession({ data: { edits: [] } });
      const others = entry.capabilities.durability === 'process' ? [] : [await openStore()];
      const clients = [store, ...others];
      const names = Array.from({ length: 24 }, (_, at) => `edit-${at}`);
      await Promise.all(names.map((name, at) => append(clients[at % clients.length] ?? store, id, name)));
      await Promise.all(others.map(other => other.close()));
      const end = await store.read(id);
      assertMembers(end?.data.edits, names);
      assert.equal(end?.version, 1 + names.length);
    });
  });

  describe('touch', () => {
    it('moves the idle deadline and nothing else', async () => {
      const { id, made } = await createSession();
      const idleUntilMs = made.idleUntilMs + 60_000;
      assert.equal(await store.touch(id, idleUntilMs), true);
      assert.deepEqual(await store.read(id), { ...made, idleUntilMs });
    });

    it('never moves past the absolute deadline', async () => {
      const { id, made } = await createSession();
      assert.equal(await store.touch(id, made.absoluteUntilMs + 1), true);
      assert.equal((await store.read(id))?.idleUntilMs, made.absoluteUntilMs);
      nowMs = made.absoluteUntilMs;
      assert.equal(await store.read(id), undefined);
    });

    it('keeps an earlier change of the data', async () => {
      const { id, made } = await createSession();
      await Promise.all([
        store.replace(id, { ...made, version: 2, data: { n: 2 } }),
        store.touch(id, nowMs + idleMs + 5),
      ]);
      const after = await store.read(id);
      assert.deepEqual([after?.version, after?.data, after?.idleUntilMs], [2, { n: 2 }, nowMs + idleMs + 5]);
    });

    it('does not revive a removed session', async () => {
      const { id } = await createSession();
      await store.remove(id);
      assert.equal(await store.touch(id, nowMs + idleMs), false);
      assert.equal(await store.read(id), undefined);
    });
  });

  describe('remove', () => {
    it('removes once, and resolves with gone the second time', async () => {
      const { id } = await createSession();
      assert.equal(await store.remove(id), 'removed');
      assert.equal(await store.read(id), undefined);
      assert.equal(await store.remove(id), 'gone');
      assert.equal(await store.remove(newSessionId('anna')), 'gone');
    });

    it('removes only the given version', async () => {
      const { id, made } = await createSession();
      await store.replace(id, { ...made, version: 2 });
      assert.equal(await store.remove(id, 1), 'conflict');
      assert.equal((await store.read(id))?.version, 2);
      assert.equal(await store.remove(id, 2), 'removed');
      assert.equal(await store.remove(id, 2), 'gone');
    });
  });

  describe('listByUser', () => {
    it('lists only live sessions of that user, without ids', async () => {
      const user = `user-${newSecret()}`;
      const [kept, touched, removed] = [
        await createSession({ user }),
        await createSession({ user }),
        await createSession({ user }),
      ];
      await createSession({ user: 'another user' });
      await store.touch(touched.id, nowMs + idleMs + 7);
      await store.remove(removed.id);
      const list = await store.listByUser(user);
      assert.deepEqual(
        list.map(({ createdAtMs }) => createdAtMs),
        [nowMs, nowMs],
      );
      assertMembers(
        list.map(({ idleUntilMs }) => idleUntilMs),
        [nowMs + idleMs, nowMs + idleMs + 7],
      );
      for (const { handle } of list) assert.match(handle, /^[0-9a-f]{16}$/);
      assert.equal(new Set(list.map(({ handle }) => handle)).size, 2);
      assert.ok(!JSON.stringify(list).includes(kept.id));
    });

    it('is empty for a user without sessions', async () => {
      assert.deepEqual(await store.listByUser('a user without sessions'), []);
    });
  });

  describe('removeByHandle and clear', () => {
    it('removes one session of that user', async () => {
      const user = `user-${newSecret()}`;
      const [one, two] = [await createSession({ user }), await createSession({ user })];
      const handle = handleOf(digestOf(one.id));
      assert.equal(await store.removeByHandle('another user', handle), false);
      assert.equal(await store.removeByHandle(user, 'f'.repeat(16)), false);
      assert.equal(await store.removeByHandle(user, handle), true);
      assert.equal(await store.removeByHandle(user, handle), false);
      assert.equal(await store.read(one.id), undefined);
      assert.deepEqual(await store.read(two.id), two.made);
      assert.equal((await store.listByUser(user)).length, 1);
    });

    it('lists a thousand sessions of a user at once, and ends more', async () => {
      const user = `user-${newSecret()}`;
      const handles: string[] = [];
      const count = Math.min(1_050, entry.capabilities.sessionsPerUserMax ?? 1_050);
      for (let rounds = 0; rounds < count / 50; rounds++) {
        const made = await Promise.all(Array.from({ length: 50 }, () => createSession({ user })));
        handles.push(...made.map(({ id }) => handleOf(digestOf(id))));
      }
      const listed = (await store.listByUser(user)).map(({ handle }) => handle);
      assert.equal(new Set(listed).size, 1_000);
      const others = handles.filter(handle => !listed.includes(handle));
      for (let rest = [...others, ...listed]; rest.length > 0; rest = rest.slice(100)) {
        const removed = rest.slice(0, 100).map(handle => store.removeByHandle(user, handle));
        assert.ok(!(await Promise.all(removed)).includes(false));
      }
      assert.deepEqual(await store.listByUser(user), []);
    });

    it('clears every session, and keeps those created afterwards', async () => {
      const made = await Promise.all(Array.from({ length: 20 }, (_, at) => createSession({ user: `user-${at % 3}` })));
      await store.clear();
      for (const { id } of made) assert.equal(await store.read(id), undefined);
      assert.deepEqual(await store.listByUser('user-1'), []);
      const next = await createSession();
      assert.deepEqual(await store.read(next.id), next.made);
    });
  });

  epochsContract(
    { describe, it, beforeEach },
    {
      store: () => store,
      createSession,
      now: () => nowMs,
      moveClock: stepMs => {
        nowMs += stepMs;
      },
    },
  );

  /** Every call of a store except `clear`, on a session that may not exist. A frozen server may carry out a command
   * later. */
  function everyCall(target: SessionStore, id = newSessionId('anna')): Record<string, () => Promise<unknown>> {
    return {
      read: () => target.read(id),
      create: () => target.create(newSessionId('anna'), record()),
      replace: () => target.replace(id, { ...record({ version: 2 }), epochs }),
      touch: () => target.touch(id, nowMs + idleMs),
      remove: () => target.remove(id),
      listByUser: () => target.listByUser('anna'),
      removeByHandle: () => target.removeByHandle('anna', 'f'.repeat(16)),
      raiseEpoch: () => target.raiseEpoch('cara', id),
    };
  }

  async function expectAllUnavailable(target: SessionStore, withinMs: number): Promise<void> {
    for (const [name, call] of Object.entries(everyCall(target))) {
      const startedAt = performance.now();
      await assert.rejects(call(), StoreUnavailable);
      assert.ok(performance.now() - startedAt < withinMs, `${name} took`);
    }
  }

  it('rejects every call after close, and accepts a second close', async () => {
    const closed = await openStore();
    await closed.close();
    await closed.close();
    await expectAllUnavailable(closed, graceMs);
    await assert.rejects(closed.clear(), StoreUnavailable);
    assert.equal(await closed.ready(20), false);
  });

  if (entry.capabilities.durability === 'process') {
    it('declares that it has no server that could fail separately', () => {
      assert.equal(lab.server, undefined);
    });
    return;
  }

  if (!outages) return;

  describe('when its server fails', () => {
    it('rejects at the deadline when the server hangs, and mixes up no answer afterwards', async () => {
      const made = await Promise.all(Array.from({ length: 5 }, (_, n) => createSession({ data: { n } })));
      lab.server?.freeze();
      try {
        const startedAt = performance.now();
        const calls = Object.values(everyCall(store, made[0]?.id)).map(call =>
          assert.rejects(call(), StoreUnavailable),
        );
        await Promise.all(calls);
        assertWithin(performance.now() - startedAt, deadlineMs - 50, deadlineMs + graceMs);
        await expectAllUnavailable(store, deadlineMs + graceMs);
        assert.equal(await store.ready(20), false);
      } finally {
        lab.server?.thaw();
      }
      assert.equal(await store.ready(5_000), true);
      // The first session may be gone: a frozen server can still carry out the removal later.
      const later = await Promise.all(made.slice(1).map(({ id }) => store.read(id)));
      assert.deepEqual(
        later.map(found => found?.data),
        [1, 2, 3, 4].map(n => ({ n })),
      );
    });

    it('rejects at once while the server is dead, and serves after its restart with the promised data', async () => {
      const { id, made } = await createSession();
      await lab.server?.kill();
      try {
        await expectAllUnavailable(store, graceMs);
        await assert.rejects(store.clear(), StoreUnavailable);
      } finally {
        await lab.server?.restart();
      }
      assert.equal(await store.ready(5_000), true);
      const survives = entry.capabilities.durability === 'disk';
      assert.deepEqual(await store.read(id), survives ? made : undefined);
      const next = await createSession();
      assert.deepEqual(await store.read(next.id), next.made);
    });

    it('rejects calls in flight when the server dies', async () => {
      lab.server?.freeze();
      const startedAt = performance.now();
      const calls = Object.values(everyCall(store)).map(call => assert.rejects(call(), StoreUnavailable));
      await lab.server?.kill();
      try {
        await Promise.all(calls);
        assert.ok(performance.now() - startedAt < deadlineMs + graceMs);
      } finally {
        await lab.server?.restart();
      }
    });

    it('rejects before the server was ever up, reports each transition once, and serves when it starts', async () => {
      const transitions: boolean[] = [];
      await lab.server?.kill();
      const early = entry.open({
        url: lab.url,
        deadlineMs,
        now: () => nowMs,
        onTransition: ({ up }) => transitions.push(up),
      });
      try {
        await expectAllUnavailable(early, graceMs);
        assert.equal(await early.ready(150), false);
        await expectAllUnavailable(early, graceMs);
        await lab.server?.restart();
        assert.equal(await early.ready(5_000), true);
        assert.deepEqual(transitions, [false, true]);
      } finally {
        await early.close();
      }
      assert.deepEqual(transitions, [false, true]);
    });
  });
}
