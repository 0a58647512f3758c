import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import {
  digestOf,
  handleOf,
  type NewSessionRecord,
  newSecret,
  newSessionId,
  type SessionRecord,
} from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';

interface Created {
  readonly id: string;
  readonly made: SessionRecord;
}

export interface StoreBench {
  store(): SessionStore;
  created(changes?: Partial<NewSessionRecord>): Promise<Created>;
  now(): number;
  moveClock(stepMs: number): void;
}

/** The part of the contract of `SessionStore` about epochs: ending all sessions of a user at once. */
export function sessionEpochsContract({ store: opened, created, now, moveClock }: StoreBench): void {
  let store: SessionStore;
  beforeEach(() => {
    store = opened();
  });

  describe('epochs', () => {
    it('end every session of one user in one step', async () => {
      const user = `user-${newSecret()}`;
      const made = [await created({ user }), await created({ user })];
      const other = await created();
      const epoch = await store.raiseEpoch(user);
      expect(epoch).to.be.greaterThan(made[0]?.made.epochs.user ?? 0);
      for (const each of made) await expectOver(each);
      expect(await store.listByUser(user)).to.deep.equal([]);
      expect(await store.read(other.id)).to.deep.equal(other.made);
      const next = await created({ user });
      expect(next.made.epochs.user).to.be.at.least(epoch);
      expect(await store.read(next.id)).to.deep.equal(next.made);
    });

    it('are the same for all logins that are the first of their user', async () => {
      const user = `user-${newSecret()}`;
      const begun: Promise<Created>[] = [];
      // The logins overlap, and the clock goes on while they run.
      for (let at = 0; at < 20; at++) {
        begun.push(created({ user }));
        await nextTurn();
        moveClock(1);
      }
      for (const { id, made } of await Promise.all(begun)) expect(await store.read(id)).to.deep.equal(made);
    });

    it('let one session of the user go on, and none of another user', async () => {
      const user = `user-${newSecret()}`;
      const [kept, ended, other] = [await created({ user }), await created({ user }), await created()];
      const epoch = await store.raiseEpoch(user, kept.id);
      const moved = { ...kept.made, version: 2, epochs: { ...kept.made.epochs, user: epoch } };
      expect(await store.read(kept.id)).to.deep.equal(moved);
      await expectOver(ended);
      expect((await store.listByUser(user)).map(({ handle }) => handle)).to.deep.equal([handleOf(digestOf(kept.id))]);
      expect(await store.replace(kept.id, { ...moved, version: 2 })).to.equal('conflict');
      expect(await store.remove(kept.id, 1)).to.equal('conflict');
      expect(await store.replace(kept.id, { ...moved, version: 3 })).to.equal('saved');
      await store.raiseEpoch(user, other.id);
      expect(await store.read(kept.id)).to.equal(undefined);
      expect(await store.read(other.id)).to.deep.equal(other.made);
    });

    it('let no rotation bring back a session that ended meanwhile', async () => {
      const user = `user-${newSecret()}`;
      const { made } = await created({ user });
      await store.raiseEpoch(user);
      const successor = newSessionId(user);
      expect(await store.create(successor, made)).to.deep.equal(made.epochs);
      await expectOver({ id: successor, made });
      expect(await store.listByUser(user)).to.deep.equal([]);
    });

    it('let a session go on that ends the others twice at once, and changes meanwhile', async () => {
      const user = `user-${newSecret()}`;
      const { id, made } = await created({ user });
      let version = 1;
      for (let rounds = 0; rounds < 10; rounds++) {
        const [changed] = await Promise.all([
          store.replace(id, { ...made, version: version + 1 }),
          store.raiseEpoch(user, id),
          store.touch(id, made.idleUntilMs),
          store.raiseEpoch(user, id),
        ]);
        expect(changed).to.be.oneOf(['saved', 'conflict']);
        const found = await store.read(id);
        expect(found?.version).to.be.at.least(version + (changed === 'saved' ? 3 : 2));
        version = found?.version ?? 0;
      }
    });

    it('are kept by a rotation of a session that goes on', async () => {
      const user = `user-${newSecret()}`;
      const { id, made } = await created({ user });
      const successor = newSessionId(user);
      await store.create(successor, { ...made, data: { rotated: true } });
      await store.remove(id);
      expect(await store.read(successor)).to.deep.equal({ ...made, data: { rotated: true } });
    });

    it('only grow, whatever the clock does, and end a session that began just before', async () => {
      const user = `user-${newSecret()}`;
      let last = 0;
      for (const stepMs of [0, -60_000, 0, 60_000, -1]) {
        moveClock(stepMs);
        const { id, made } = await created({ user });
        const epoch = await store.raiseEpoch(user);
        expect(epoch).to.be.greaterThan(last);
        expect(made.epochs.user).to.be.within(last, epoch - 1);
        expect(await store.read(id)).to.equal(undefined);
        last = epoch;
      }
    });

    it('end the sessions that a parallel login or rotation began before, and no later login', async () => {
      const user = `user-${newSecret()}`;
      const { made } = await created({ user });
      const raising = store.raiseEpoch(user);
      const parallel = await Promise.all([created({ user }), created({ user, epochs: made.epochs }), raising]);
      const [login, rotated, epoch] = parallel;
      expect(await store.read(rotated.id)).to.equal(undefined);
      expect((await store.read(login.id))?.epochs.user).to.be.oneOf([undefined, epoch]);
    });
  });

  it('lists and ends nothing early for a caller with a clock 60 s ahead', async () => {
    const user = `user-${newSecret()}`;
    const short = await created({ user, idleUntilMs: now() + 30_000 });
    const long = await created({ user });
    moveClock(60_000);
    expect((await store.listByUser(user)).map(({ handle }) => handle)).to.deep.equal([handleOf(digestOf(long.id))]);
    await store.listByUser(user);
    moveClock(-60_000);
    expect(await store.read(short.id)).to.deep.equal(short.made);
    expect(await store.listByUser(user)).to.have.length(2);
    moveClock(60_000);
    await store.raiseEpoch(user);
    moveClock(-60_000);
    for (const each of [short, long]) await expectOver(each);
    const next = await created({ user });
    expect(await store.read(next.id)).to.deep.equal(next.made);
  });

  async function expectOver({ id, made }: Created): Promise<void> {
    expect(await store.read(id)).to.equal(undefined);
    expect(await store.touch(id, now() + 1_800_000)).to.equal(false);
    expect(await store.replace(id, { ...made, version: made.version + 1 })).to.equal('gone');
    expect(await store.removeByHandle(made.user, handleOf(digestOf(id)))).to.equal(false);
    expect(await store.remove(id)).to.equal('gone');
  }
}
