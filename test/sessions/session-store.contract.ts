import { expect } from 'chai';
import { SessionExists, StoreUnavailable } from '#src/sessions/errors.js';
import {
  digestOf,
  handleOf,
  type NewSessionRecord,
  newSecret,
  newSessionId,
  type SessionData,
  type SessionRecord,
} from '#src/sessions/session.js';
import type { SessionStore, StoreEntry } from '#src/sessions/session-store.js';
import { expectRejection } from './expect-rejection.js';
import { sessionEpochsContract } from './session-epochs.contract.js';
import type { StoreLab } from './store-labs.js';

const deadlineMs = 300;
const epochs = { user: 1, everyone: 1 };
/** Tolerance for a machine that is busy with other tests. A call that hangs would be seconds late. */
const graceMs = 300;
const idleMs = 1_800_000;
const absoluteMs = 43_200_000;

/** The contract of `SessionStore`. It runs for every entry of the registry. Without `outages`, its server is never
 * stopped. */
export function sessionStoreContract(
  entry: StoreEntry,
  startLab: () => Promise<StoreLab>,
  { outages = true }: { readonly outages?: boolean } = {},
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
    store = await opened();
  });
  afterEach(() => store.close());

  async function opened(): Promise<SessionStore> {
    const another = entry.open({ url: lab.url, deadlineMs, now: () => nowMs });
    expect(await another.ready(5_000)).to.equal(true);
    return another;
  }

  function record(changes: Partial<NewSessionRecord> = {}): NewSessionRecord {
    const times = { createdAtMs: nowMs, idleUntilMs: nowMs + idleMs, absoluteUntilMs: nowMs + absoluteMs };
    return { user: 'anna', data: { cart: ['tea'], note: 'ü "quoted" \u2028' }, version: 1, ...times, ...changes };
  }

  async function created(changes: Partial<NewSessionRecord> = {}): Promise<{ id: string; made: SessionRecord }> {
    const wanted = record(changes);
    const id = newSessionId(wanted.user);
    return { id, made: { ...wanted, epochs: await store.create(id, wanted) } };
  }

  describe('create and read', () => {
    it('reads back what was created', async () => {
      const { id, made } = await created();
      expect(await store.read(id)).to.deep.equal(made);
    });

    it('rejects a second create and keeps the first', async () => {
      const { id, made } = await created();
      await expectRejection(store.create(id, record({ data: {} })), SessionExists);
      expect(await store.read(id)).to.deep.equal(made);
    });

    it('lets exactly one of many parallel creates win', async () => {
      const id = newSessionId('anna');
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => store.create(id, record())));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    });

    it('read resolves with undefined for an unknown id', async () => {
      expect(await store.read(newSessionId('anna'))).to.equal(undefined);
    });

    it('shares no object with callers', async () => {
      const { id, made } = await created({ data: { cart: ['tea'] } });
      made.data.cart = 'spoiled by the creator';
      const first = await store.read(id);
      if (first !== undefined) first.data.cart = 'spoiled by a reader';
      expect((await store.read(id))?.data).to.deep.equal({ cart: ['tea'] });
    });

    for (const hours of [-5, 5]) {
      it(`uses the clock of its callers, even if it is ${hours} h off`, async () => {
        nowMs += hours * 3_600_000;
        const { id, made } = await created({ user: `user-${newSecret()}` });
        expect(await store.read(id)).to.deep.equal(made);
        expect(await store.touch(id, made.idleUntilMs + 60_000)).to.equal(true);
        expect(await store.read(id)).to.deep.equal({ ...made, idleUntilMs: made.idleUntilMs + 60_000 });
        expect(await store.listByUser(made.user)).to.have.length(1);
      });
    }

    for (const [limit, changes] of [
      ['idle', { idleUntilMs: Date.now() + 600_000 }],
      ['absolute', { absoluteUntilMs: Date.now() + 600_000 }],
    ] as const) {
      it(`ends a session at its ${limit} deadline, not before, for every call`, async () => {
        const { id, made } = await created({ ...changes, user: `user-${newSecret()}` });
        nowMs = Math.min(made.idleUntilMs, made.absoluteUntilMs) - 1;
        expect(await store.read(id)).to.deep.equal(made);
        nowMs += 1;
        expect(await store.read(id)).to.equal(undefined);
        expect(await store.touch(id, nowMs + idleMs)).to.equal(false);
        expect(await store.replace(id, { ...made, version: 2 })).to.equal('gone');
        expect(await store.listByUser(made.user)).to.deep.equal([]);
        expect(await store.remove(id)).to.equal('gone');
        nowMs -= 1;
        expect(await store.read(id)).to.equal(undefined);
      });
    }
  });

  describe('replace', () => {
    it('replaces the previous version, and only the data', async () => {
      const { id, made } = await created();
      const data = { cart: [] };
      const moved = { idleUntilMs: nowMs + 1, absoluteUntilMs: nowMs + 2, createdAtMs: 0 };
      expect(await store.replace(id, { ...made, ...moved, data, version: 2 })).to.equal('saved');
      expect(await store.read(id)).to.deep.equal({ ...made, data, version: 2 });
    });

    it('reports a conflict for an old, the same and a future version', async () => {
      const { id, made } = await created();
      const second = { ...made, version: 2, data: { second: true } };
      await store.replace(id, second);
      for (const version of [1, 2, 4, 30]) {
        expect(await store.replace(id, { ...made, version }), `version ${version}`).to.equal('conflict');
      }
      expect(await store.read(id)).to.deep.equal(second);
    });

    it('creates no session: neither after a removal nor for an unknown id', async () => {
      const { id, made } = await created();
      await store.remove(id);
      expect(await store.replace(id, { ...made, version: 2 })).to.equal('gone');
      expect(await store.read(id)).to.equal(undefined);
      const unknown = newSessionId('anna');
      expect(await store.replace(unknown, { ...made, version: 1 })).to.equal('gone');
      expect(await store.read(unknown)).to.equal(undefined);
    });

    it('loses no parallel edit of two clients', async () => {
      const { id } = await created({ data: { edits: [] } });
      const others = entry.capabilities.durability === 'process' ? [] : [await opened()];
      const clients = [store, ...others];
      const names = Array.from({ length: 24 }, (_, at) => `edit-${at}`);
      await Promise.all(names.map((name, at) => append(clients[at % clients.length] ?? store, id, name)));
      await Promise.all(others.map(other => other.close()));
      const end = await store.read(id);
      expect(end?.data.edits).to.have.members(names);
      expect(end?.version).to.equal(1 + names.length);
    });
  });

  describe('touch', () => {
    it('moves the idle deadline and nothing else', async () => {
      const { id, made } = await created();
      const idleUntilMs = made.idleUntilMs + 60_000;
      expect(await store.touch(id, idleUntilMs)).to.equal(true);
      expect(await store.read(id)).to.deep.equal({ ...made, idleUntilMs });
    });

    it('never moves past the absolute deadline', async () => {
      const { id, made } = await created();
      expect(await store.touch(id, made.absoluteUntilMs + 1)).to.equal(true);
      expect((await store.read(id))?.idleUntilMs).to.equal(made.absoluteUntilMs);
      nowMs = made.absoluteUntilMs;
      expect(await store.read(id)).to.equal(undefined);
    });

    it('keeps an earlier change of the data', async () => {
      const { id, made } = await created();
      await Promise.all([
        store.replace(id, { ...made, version: 2, data: { n: 2 } }),
        store.touch(id, nowMs + idleMs + 5),
      ]);
      const after = await store.read(id);
      expect([after?.version, after?.data, after?.idleUntilMs]).to.deep.equal([2, { n: 2 }, nowMs + idleMs + 5]);
    });

    it('does not revive a removed session', async () => {
      const { id } = await created();
      await store.remove(id);
      expect(await store.touch(id, nowMs + idleMs)).to.equal(false);
      expect(await store.read(id)).to.equal(undefined);
    });
  });

  describe('remove', () => {
    it('removes once, and resolves with gone the second time', async () => {
      const { id } = await created();
      expect(await store.remove(id)).to.equal('removed');
      expect(await store.read(id)).to.equal(undefined);
      expect(await store.remove(id)).to.equal('gone');
      expect(await store.remove(newSessionId('anna'))).to.equal('gone');
    });

    it('removes only the given version', async () => {
      const { id, made } = await created();
      await store.replace(id, { ...made, version: 2 });
      expect(await store.remove(id, 1)).to.equal('conflict');
      expect((await store.read(id))?.version).to.equal(2);
      expect(await store.remove(id, 2)).to.equal('removed');
      expect(await store.remove(id, 2)).to.equal('gone');
    });
  });

  describe('listByUser', () => {
    it('lists only live sessions of that user, without ids', async () => {
      const user = `user-${newSecret()}`;
      const [kept, touched, removed] = [await created({ user }), await created({ user }), await created({ user })];
      await created({ user: 'somebody else' });
      await store.touch(touched.id, nowMs + idleMs + 7);
      await store.remove(removed.id);
      const list = await store.listByUser(user);
      expect(list.map(({ createdAtMs }) => createdAtMs)).to.deep.equal([nowMs, nowMs]);
      expect(list.map(({ idleUntilMs }) => idleUntilMs)).to.have.members([nowMs + idleMs, nowMs + idleMs + 7]);
      for (const { handle } of list) expect(handle).to.match(/^[0-9a-f]{16}$/);
      expect(new Set(list.map(({ handle }) => handle))).to.have.length(2);
      expect(JSON.stringify(list)).not.to.contain(kept.id);
    });

    it('is empty for a user without sessions', async () => {
      expect(await store.listByUser('nobody')).to.deep.equal([]);
    });
  });

  describe('removeByHandle and clear', () => {
    it('removes one session of that user', async () => {
      const user = `user-${newSecret()}`;
      const [one, two] = [await created({ user }), await created({ user })];
      const handle = handleOf(digestOf(one.id));
      expect(await store.removeByHandle('somebody else', handle)).to.equal(false);
      expect(await store.removeByHandle(user, 'f'.repeat(16))).to.equal(false);
      expect(await store.removeByHandle(user, handle)).to.equal(true);
      expect(await store.removeByHandle(user, handle)).to.equal(false);
      expect(await store.read(one.id)).to.equal(undefined);
      expect(await store.read(two.id)).to.deep.equal(two.made);
      expect(await store.listByUser(user)).to.have.length(1);
    });

    it('lists a thousand sessions of a user at once, and ends more', async () => {
      const user = `user-${newSecret()}`;
      const handles: string[] = [];
      const count = Math.min(1_050, entry.capabilities.sessionsPerUserMax ?? 1_050);
      for (let rounds = 0; rounds < count / 50; rounds++) {
        const made = await Promise.all(Array.from({ length: 50 }, () => created({ user })));
        handles.push(...made.map(({ id }) => handleOf(digestOf(id))));
      }
      const listed = (await store.listByUser(user)).map(({ handle }) => handle);
      expect(new Set(listed).size).to.equal(1_000);
      const others = handles.filter(handle => !listed.includes(handle));
      for (let rest = [...others, ...listed]; rest.length > 0; rest = rest.slice(100)) {
        const removed = rest.slice(0, 100).map(handle => store.removeByHandle(user, handle));
        expect(await Promise.all(removed)).not.to.include(false);
      }
      expect(await store.listByUser(user)).to.deep.equal([]);
    });

    it('clears every session, and keeps those created afterwards', async () => {
      const made = await Promise.all(Array.from({ length: 20 }, (_, at) => created({ user: `user-${at % 3}` })));
      await store.clear();
      for (const { id } of made) expect(await store.read(id)).to.equal(undefined);
      expect(await store.listByUser('user-1')).to.deep.equal([]);
      const next = await created();
      expect(await store.read(next.id)).to.deep.equal(next.made);
    });
  });

  sessionEpochsContract({
    store: () => store,
    created,
    now: () => nowMs,
    moveClock: stepMs => {
      nowMs += stepMs;
    },
  });

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
      await expectRejection(call(), StoreUnavailable);
      expect(performance.now() - startedAt, `${name} took`).to.be.lessThan(withinMs);
    }
  }

  it('rejects every call after close, and accepts a second close', async () => {
    const closed = await opened();
    await closed.close();
    await closed.close();
    await expectAllUnavailable(closed, graceMs);
    await expectRejection(closed.clear(), StoreUnavailable);
    expect(await closed.ready(20)).to.equal(false);
  });

  if (entry.capabilities.durability === 'process') {
    it('declares that it has no server that could fail separately', () => {
      expect(lab.server).to.equal(undefined);
    });
    return;
  }

  if (!outages) return;

  describe('when its server fails', () => {
    it('rejects at the deadline when the server hangs, and mixes up no answer afterwards', async () => {
      const made = await Promise.all(Array.from({ length: 5 }, (_, n) => created({ data: { n } })));
      lab.server?.freeze();
      try {
        const startedAt = performance.now();
        const calls = Object.values(everyCall(store, made[0]?.id)).map(call =>
          expectRejection(call(), StoreUnavailable),
        );
        await Promise.all(calls);
        expect(performance.now() - startedAt).to.be.within(deadlineMs - 50, deadlineMs + graceMs);
        await expectAllUnavailable(store, deadlineMs + graceMs);
        expect(await store.ready(20)).to.equal(false);
      } finally {
        lab.server?.thaw();
      }
      expect(await store.ready(5_000)).to.equal(true);
      // The first session may be gone: a frozen server can still carry out the removal later.
      const later = await Promise.all(made.slice(1).map(({ id }) => store.read(id)));
      expect(later.map(found => found?.data)).to.deep.equal([1, 2, 3, 4].map(n => ({ n })));
    });

    it('rejects at once while the server is dead, and serves after its restart with the promised data', async () => {
      const { id, made } = await created();
      await lab.server?.kill();
      try {
        await expectAllUnavailable(store, graceMs);
        await expectRejection(store.clear(), StoreUnavailable);
      } finally {
        await lab.server?.restart();
      }
      expect(await store.ready(5_000)).to.equal(true);
      const survives = entry.capabilities.durability === 'disk';
      expect(await store.read(id)).to.deep.equal(survives ? made : undefined);
      const next = await created();
      expect(await store.read(next.id)).to.deep.equal(next.made);
    });

    it('rejects calls in flight when the server dies', async () => {
      lab.server?.freeze();
      const startedAt = performance.now();
      const calls = Object.values(everyCall(store)).map(call => expectRejection(call(), StoreUnavailable));
      await lab.server?.kill();
      try {
        await Promise.all(calls);
        expect(performance.now() - startedAt).to.be.lessThan(deadlineMs + graceMs);
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
        expect(await early.ready(150)).to.equal(false);
        await expectAllUnavailable(early, graceMs);
        await lab.server?.restart();
        expect(await early.ready(5_000)).to.equal(true);
        expect(transitions).to.deep.equal([false, true]);
      } finally {
        await early.close();
      }
      expect(transitions).to.deep.equal([false, true]);
    });
  });
}

/** A client that retries until its edit is saved. */
async function append(store: SessionStore, id: string, name: string): Promise<void> {
  for (;;) {
    const found = await store.read(id);
    if (found === undefined) throw new Error('the session is gone');
    const data: SessionData = { edits: [...editsOf(found.data), name] };
    if ((await store.replace(id, { ...found, data, version: found.version + 1 })) === 'saved') return;
  }
}

function editsOf({ edits }: SessionData): readonly string[] {
  return Array.isArray(edits) ? edits.map(String) : [];
}
