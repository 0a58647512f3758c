import assert from 'node:assert/strict';
import { SessionExists } from '../errors.js';
import { type NewSessionRecord, newSecret, newSessionId, type SessionRecord } from '../session.js';
import type { SessionStore } from '../session-store.js';
import { append, assertMembers, type ContractSubject, idleMs, type StoreLab, type TestRunner } from './common.js';
import { deadlineMs, registerOutagesContract } from './outages-contract.js';
import { registerUserSessionsContract, type StoreBench } from './user-sessions-contract.js';

export type { ContractSubject, StoreLab, StoreLabServer, TestRunner } from './common.js';

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
    const { client: _, ...kept } = wanted;
    return { id, made: { ...kept, epochs: await store.create(id, wanted) } };
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

  const bench: StoreBench = {
    store: () => store,
    createSession,
    now: () => nowMs,
    moveClock: stepMs => {
      nowMs += stepMs;
    },
  };
  registerUserSessionsContract({ describe, it, beforeEach }, bench, entry);
  registerOutagesContract({ describe, it }, bench, { entry, lab: () => lab, openStore, record, outages });
}
