import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { handleOfId, type NewSessionRecord, newSecret, newSessionId, type SessionRecord } from '../session.js';
import type { SessionStore, StoreEntry } from '../session-store.js';
import { assertMembers, assertWithin, idleMs, type TestRunner } from './common.js';

interface Created {
  readonly id: string;
  readonly made: SessionRecord;
}

export interface StoreBench {
  store(): SessionStore;
  createSession(changes?: Partial<NewSessionRecord>): Promise<Created>;
  now(): number;
  moveClock(stepMs: number): void;
}

/** Registers the part of the contract of `SessionStore` about the sessions of a user: listing them, ending one, and
 * ending all at once by an epoch. */
export function registerUserSessionsContract(
  { describe, it, beforeEach }: Pick<TestRunner, 'describe' | 'it' | 'beforeEach'>,
  { store: getStore, createSession, now, moveClock }: StoreBench,
  { capabilities }: StoreEntry,
): void {
  let store: SessionStore;
  beforeEach(() => {
    store = getStore();
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
      await store.touch(touched.id, now() + idleMs + 7);
      await store.remove(removed.id);
      const list = await store.listByUser(user);
      assert.deepEqual(
        list.map(({ createdAtMs }) => createdAtMs),
        [now(), now()],
      );
      assertMembers(
        list.map(({ idleUntilMs }) => idleUntilMs),
        [now() + idleMs, now() + idleMs + 7],
      );
      for (const { handle } of list) assert.match(handle, /^[0-9a-f]{16}$/);
      assert.equal(new Set(list.map(({ handle }) => handle)).size, 2);
      assert.ok(!JSON.stringify(list).includes(kept.id));
    });

    it('shows the client of each session as it was given, whatever happens to the session', async () => {
      const user = `user-${newSecret()}`;
      const client = { address: '2001:db8::1', userAgent: 'ü "quoted" \\ \u2028 \n' };
      const [known, unknown] = [await createSession({ user, client }), await createSession({ user })];
      const clients = async () =>
        (await store.listByUser(user)).map(({ handle, client }) => [handle === handleOfId(known.id), client]);
      assertMembers(
        (await clients()).map(each => JSON.stringify(each)),
        [JSON.stringify([true, client]), '[false,null]'],
      );
      await store.touch(known.id, now() + idleMs + 7);
      await store.replace(known.id, { ...known.made, version: 2 });
      await store.remove(unknown.id);
      assert.deepEqual(await clients(), [[true, client]]);
      await store.raiseEpoch(user, known.id);
      assert.deepEqual(await clients(), [[true, client]]);
      assert.ok(!('client' in ((await store.read(known.id)) ?? {})));
    });

    it('is empty for a user without sessions', async () => {
      assert.deepEqual(await store.listByUser('a user without sessions'), []);
    });
  });

  describe('removeByHandle and clear', () => {
    it('removes one session of that user', async () => {
      const user = `user-${newSecret()}`;
      const [one, two] = [await createSession({ user }), await createSession({ user })];
      const handle = handleOfId(one.id);
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
      const count = Math.min(1_050, capabilities.sessionsPerUserMax ?? 1_050);
      for (let rounds = 0; rounds < count / 50; rounds++) {
        const made = await Promise.all(Array.from({ length: 50 }, () => createSession({ user })));
        handles.push(...made.map(({ id }) => handleOfId(id)));
      }
      const listed = (await store.listByUser(user)).map(({ handle }) => handle);
      assert.equal(new Set(listed).size, 1_000);
      const others = handles.filter(handle => !listed.includes(handle));
      // The second list must show sessions that did not fit into the first one.
      const ended = [...others.slice(0, 25), ...listed.slice(0, 75)];
      const removed = ended.map(handle => store.removeByHandle(user, handle));
      assert.ok(!(await Promise.all(removed)).includes(false));
      const left = handles.filter(handle => !ended.includes(handle));
      assertMembers(
        (await store.listByUser(user)).map(({ handle }) => handle),
        left,
      );
      await store.raiseEpoch(user);
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

  describe('epochs', () => {
    it('end every session of one user in one step', async () => {
      const user = `user-${newSecret()}`;
      const made = [await createSession({ user }), await createSession({ user })];
      const other = await createSession();
      const epoch = await store.raiseEpoch(user);
      assert.ok(epoch > (made[0]?.made.epochs.user ?? 0));
      for (const each of made) await assertOver(each);
      assert.deepEqual(await store.listByUser(user), []);
      assert.deepEqual(await store.read(other.id), other.made);
      const next = await createSession({ user });
      assert.ok(next.made.epochs.user >= epoch);
      assert.deepEqual(await store.read(next.id), next.made);
    });

    it('are the same for all logins that are the first of their user', async () => {
      const user = `user-${newSecret()}`;
      const begun: Promise<Created>[] = [];
      // The logins overlap, and the clock goes on while they run.
      for (let at = 0; at < 20; at++) {
        begun.push(createSession({ user }));
        await nextTurn();
        moveClock(1);
      }
      for (const { id, made } of await Promise.all(begun)) assert.deepEqual(await store.read(id), made);
    });

    it('let one session of the same user go on, and no session of another user', async () => {
      const user = `user-${newSecret()}`;
      const [kept, ended, other] = [
        await createSession({ user }),
        await createSession({ user }),
        await createSession(),
      ];
      const epoch = await store.raiseEpoch(user, kept.id);
      const moved = { ...kept.made, version: 2, epochs: { ...kept.made.epochs, user: epoch } };
      assert.deepEqual(await store.read(kept.id), moved);
      await assertOver(ended);
      assert.deepEqual(
        (await store.listByUser(user)).map(({ handle }) => handle),
        [handleOfId(kept.id)],
      );
      assert.equal(await store.replace(kept.id, { ...moved, version: 2 }), 'conflict');
      assert.equal(await store.remove(kept.id, 1), 'conflict');
      assert.equal(await store.replace(kept.id, { ...moved, version: 3 }), 'saved');
      await store.raiseEpoch(user, other.id);
      assert.equal(await store.read(kept.id), undefined);
      assert.deepEqual(await store.read(other.id), other.made);
    });

    it('let no rotation bring back a session that ended meanwhile', async () => {
      const user = `user-${newSecret()}`;
      const { made } = await createSession({ user });
      await store.raiseEpoch(user);
      const successor = newSessionId(user);
      assert.deepEqual(await store.create(successor, made), made.epochs);
      await assertOver({ id: successor, made });
      assert.deepEqual(await store.listByUser(user), []);
    });

    it('let a session go on that ends the others twice at once, and changes meanwhile', async () => {
      const user = `user-${newSecret()}`;
      const { id, made } = await createSession({ user });
      let version = 1;
      for (let rounds = 0; rounds < 10; rounds++) {
        const [changed] = await Promise.all([
          store.replace(id, { ...made, version: version + 1 }),
          store.raiseEpoch(user, id),
          store.touch(id, made.idleUntilMs),
          store.raiseEpoch(user, id),
        ]);
        assert.ok(['saved', 'conflict'].includes(changed));
        const found = await store.read(id);
        assert.ok((found?.version ?? 0) >= version + (changed === 'saved' ? 3 : 2));
        version = found?.version ?? 0;
      }
    });

    it('are kept by a rotation of a session that goes on', async () => {
      const user = `user-${newSecret()}`;
      const { id, made } = await createSession({ user });
      const successor = newSessionId(user);
      await store.create(successor, { ...made, data: { rotated: true } });
      await store.remove(id);
      assert.deepEqual(await store.read(successor), { ...made, data: { rotated: true } });
    });

    it('only grow, whatever the clock does, and end a session that began just before', async () => {
      const user = `user-${newSecret()}`;
      let last = 0;
      for (const stepMs of [0, -60_000, 0, 60_000, -1]) {
        moveClock(stepMs);
        const { id, made } = await createSession({ user });
        const epoch = await store.raiseEpoch(user);
        assert.ok(epoch > last);
        assertWithin(made.epochs.user, last, epoch - 1);
        assert.equal(await store.read(id), undefined);
        last = epoch;
      }
    });

    it('end the sessions that a parallel login or rotation began before, and no later login', async () => {
      const user = `user-${newSecret()}`;
      const { made } = await createSession({ user });
      const raising = store.raiseEpoch(user);
      const parallel = await Promise.all([
        createSession({ user }),
        createSession({ user, epochs: made.epochs }),
        raising,
      ]);
      const [login, rotated, epoch] = parallel;
      assert.equal(await store.read(rotated.id), undefined);
      assert.ok([undefined, epoch].includes((await store.read(login.id))?.epochs.user));
    });
  });

  it('lists and ends nothing early for a caller with a clock 60 s ahead', async () => {
    const user = `user-${newSecret()}`;
    const short = await createSession({ user, idleUntilMs: now() + 30_000 });
    const long = await createSession({ user });
    moveClock(60_000);
    assert.deepEqual(
      (await store.listByUser(user)).map(({ handle }) => handle),
      [handleOfId(long.id)],
    );
    await store.listByUser(user);
    moveClock(-60_000);
    assert.deepEqual(await store.read(short.id), short.made);
    assert.equal((await store.listByUser(user)).length, 2);
    moveClock(60_000);
    await store.raiseEpoch(user);
    moveClock(-60_000);
    for (const each of [short, long]) await assertOver(each);
    const next = await createSession({ user });
    assert.deepEqual(await store.read(next.id), next.made);
  });

  async function assertOver({ id, made }: Created): Promise<void> {
    assert.equal(await store.read(id), undefined);
    assert.equal(await store.touch(id, now() + 1_800_000), false);
    assert.equal(await store.replace(id, { ...made, version: made.version + 1 }), 'gone');
    assert.equal(await store.removeByHandle(made.user, handleOfId(id)), false);
    assert.equal(await store.remove(id), 'gone');
  }
}
