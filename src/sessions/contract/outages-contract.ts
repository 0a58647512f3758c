import assert from 'node:assert/strict';
import { StoreUnavailable } from '../errors.js';
import { type NewSessionRecord, newSessionId } from '../session.js';
import type { SessionStore, StoreEntry } from '../session-store.js';
import { assertWithin, idleMs, type StoreLab, type TestRunner } from './common.js';
import type { StoreBench } from './user-sessions-contract.js';

/** The deadline of each call of the contract. */
export const deadlineMs = 1_000;
/** Tolerance for a machine that is busy with other tests. A call that hangs would be seconds late. */
const graceMs = 300;
const epochs = { user: 1, everyone: 1 };

interface OutageBench {
  readonly entry: StoreEntry;
  lab(): StoreLab;
  openStore(): Promise<SessionStore>;
  record(changes?: Partial<NewSessionRecord>): NewSessionRecord;
  /** False: the server is never stopped. */
  readonly outages: boolean;
}

/** Registers the part of the contract of `SessionStore` about a store that cannot serve: closed, hanging or dead. */
export function registerOutagesContract(
  { describe, it }: Pick<TestRunner, 'describe' | 'it'>,
  { store, createSession, now }: StoreBench,
  { entry, lab, openStore, record, outages }: OutageBench,
): void {
  /** Returns every call of a store, on a session that may not exist. `clear` is left out: a frozen server may carry it
   * out later, and end the sessions of the next test. */
  function listCalls(target: SessionStore, id = newSessionId('anna')): Record<string, () => Promise<unknown>> {
    return {
      read: () => target.read(id),
      create: () => target.create(newSessionId('anna'), record()),
      replace: () => target.replace(id, { ...record({ version: 2 }), epochs }),
      touch: () => target.touch(id, now() + idleMs),
      remove: () => target.remove(id),
      listByUser: () => target.listByUser('anna'),
      removeByHandle: () => target.removeByHandle('anna', 'f'.repeat(16)),
      raiseEpoch: () => target.raiseEpoch('cara', id),
    };
  }

  async function expectAllUnavailable(target: SessionStore, withinMs: number): Promise<void> {
    for (const [name, call] of Object.entries(listCalls(target))) {
      const startedAt = performance.now();
      await assert.rejects(call(), StoreUnavailable);
      assert.ok(performance.now() - startedAt < withinMs, `${name} took too long`);
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
      assert.equal(lab().server, undefined);
    });
    return;
  }

  if (!outages) return;

  describe('when its server fails', () => {
    it('has a server that can be stopped', () => {
      assert.ok(lab().server, 'the lab has no server to stop: set outages to false');
    });

    it('rejects at the deadline when the server hangs, and mixes up no answer afterwards', async () => {
      const made = await Promise.all(Array.from({ length: 5 }, (_, n) => createSession({ data: { n } })));
      lab().server?.freeze();
      try {
        const startedAt = performance.now();
        const calls = Object.values(listCalls(store(), made[0]?.id)).map(call =>
          assert.rejects(call(), StoreUnavailable),
        );
        await Promise.all(calls);
        assertWithin(performance.now() - startedAt, deadlineMs - 50, deadlineMs + graceMs);
        await expectAllUnavailable(store(), deadlineMs + graceMs);
        assert.equal(await store().ready(20), false);
      } finally {
        lab().server?.thaw();
      }
      assert.equal(await store().ready(5_000), true);
      // The first session may be gone: a frozen server can still carry out the removal later.
      const later = await Promise.all(made.slice(1).map(({ id }) => store().read(id)));
      assert.deepEqual(
        later.map(found => found?.data),
        [1, 2, 3, 4].map(n => ({ n })),
      );
    });

    it('rejects at once while the server is dead, and serves after its restart with the promised data', async () => {
      const { id, made } = await createSession();
      await lab().server?.kill();
      try {
        await expectAllUnavailable(store(), graceMs);
        await assert.rejects(store().clear(), StoreUnavailable);
      } finally {
        await lab().server?.restart();
      }
      assert.equal(await store().ready(5_000), true);
      const survives = entry.capabilities.durability === 'disk';
      assert.deepEqual(await store().read(id), survives ? made : undefined);
      const next = await createSession();
      assert.deepEqual(await store().read(next.id), next.made);
    });

    it('rejects calls in flight when the server dies', async () => {
      lab().server?.freeze();
      const startedAt = performance.now();
      const calls = Object.values(listCalls(store())).map(call => assert.rejects(call(), StoreUnavailable));
      await lab().server?.kill();
      try {
        await Promise.all(calls);
        assert.ok(performance.now() - startedAt < deadlineMs + graceMs);
      } finally {
        await lab().server?.restart();
      }
    });

    it('rejects before the server was ever up, reports each transition once, and serves when it starts', async () => {
      const transitions: boolean[] = [];
      await lab().server?.kill();
      const early = entry.open({
        url: lab().url,
        deadlineMs,
        now,
        onTransition: ({ up }) => transitions.push(up),
      });
      try {
        await expectAllUnavailable(early, graceMs);
        assert.equal(await early.ready(150), false);
        await expectAllUnavailable(early, graceMs);
        await lab().server?.restart();
        assert.equal(await early.ready(5_000), true);
        assert.deepEqual(transitions, [false, true]);
      } finally {
        await early.close();
      }
      assert.deepEqual(transitions, [false, true]);
    });
  });
}
