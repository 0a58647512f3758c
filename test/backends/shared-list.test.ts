import { mkdirSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { createProcessFolder, FolderTaken, type ProcessFolder } from '#backends/shared-list/process-folder.js';
import { SharedList } from '#backends/shared-list.js';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { digestOf, handleOf, newSessionId } from '#src/sessions/session.js';
import type { SessionStore, StoreEntry } from '#src/sessions/session-store.js';
import { memory } from '#src/sessions/stores/memory.js';
import { expectRejection } from '../sessions/expect-rejection.js';
import { sessionStoreContract } from '../sessions/session-store.contract.js';

describe('memory store with a shared list', () => {
  let directory: string;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'holdfast-list-'));
  });

  after(() => rm(directory, { recursive: true, force: true }));

  let processes = 0;
  const entry: StoreEntry = {
    ...memory,
    open: settings => new SharedList(memory.open(settings), somewhere(), settings.now),
  };

  /** The contract opens its stores synchronously. */
  function somewhere(): ProcessFolder {
    const own = path.join(directory, `process-${++processes}`);
    mkdirSync(own);
    return { directory, own, leave: () => rmSync(own, { recursive: true, force: true }) };
  }

  sessionStoreContract(entry, async () => ({ server: undefined, url: undefined, stop: async () => undefined }));

  describe('of two processes', () => {
    let nowMs: number;
    let one: SessionStore;
    let two: SharedList;
    let place: ProcessFolder;
    const opened = (at: ProcessFolder, now = () => nowMs) =>
      new SharedList(memory.open({ url: undefined, deadlineMs: 100, now }), at, now);

    beforeEach(async () => {
      nowMs = Date.now();
      place = await createProcessFolder(directory, 'two');
      [one, two] = [opened(await createProcessFolder(directory, 'one')), opened(place)];
    });
    afterEach(() => Promise.all([one, two].map(store => store.close())));

    async function created(store: SessionStore): Promise<string> {
      const id = newSessionId('anna');
      const deadlines = { createdAtMs: nowMs, idleUntilMs: nowMs + 60_000, absoluteUntilMs: nowMs + 90_000 };
      await store.create(id, { user: 'anna', data: { in: 'memory' }, version: 1, ...deadlines });
      return id;
    }

    /** Returns the only folder beside the socket. */
    async function folderOf({ own }: ProcessFolder): Promise<string> {
      const entries = await readdir(own, { withFileTypes: true });
      return entries.find(entry => entry.isDirectory())?.name ?? expect.fail('no folder');
    }

    const handle = (id: string) => handleOf(digestOf(id));

    it('lists the sessions of both, and keeps their data in place', async () => {
      const [here, there] = [await created(one), await created(two)];
      for (const store of [one, two]) {
        const handles = (await store.listByUser('anna')).map(each => each.handle);
        expect(handles).to.have.members([here, there].map(handle));
      }
      expect(await one.read(there)).to.equal(undefined);
      expect((await two.read(there))?.data).to.deep.equal({ in: 'memory' });
    });

    it('ends a session of the other process at once, for every call, and only once', async () => {
      const id = await created(two);
      expect(await one.removeByHandle('berta', handle(id))).to.equal(false);
      expect(await one.removeByHandle('anna', '../two')).to.equal(false);
      const record = await two.read(id);
      expect(record).not.to.equal(undefined);
      expect(await one.removeByHandle('anna', handle(id))).to.equal(true);
      expect(await one.removeByHandle('anna', handle(id))).to.equal(false);
      if (record !== undefined) expect(await two.replace(id, { ...record, version: 2 })).to.equal('gone');
      expect(await two.touch(id, nowMs + 61_000)).to.equal(false);
      expect(await two.read(id)).to.equal(undefined);
    });

    it('resolves a rotation with gone if the other process ended the session', async () => {
      const id = await created(two);
      await one.removeByHandle('anna', handle(id));
      expect(await two.remove(id, 1)).to.equal('gone');
    });

    it('lets exactly one of several calls end a session', async () => {
      const id = await created(two);
      const ends = await Promise.all([
        one.removeByHandle('anna', handle(id)),
        two.remove(id).then(outcome => outcome === 'removed'),
        one.removeByHandle('anna', handle(id)),
      ]);
      expect(ends.filter(Boolean)).to.have.length(1);
    });

    it('ends every session, and removes expired entries', async () => {
      const made = [await created(one), await created(two)];
      await one.clear();
      expect(await Promise.all([one.read(made[0] ?? ''), two.read(made[1] ?? '')])).to.deep.equal([
        undefined,
        undefined,
      ]);
      await created(two);
      nowMs += 60_000;
      expect(await one.listByUser('anna')).to.deep.equal([]);
    });

    it('ends all sessions of a user in both, except one, by a shared epoch', async () => {
      const [mine, kept, theirs] = [await created(one), await created(one), await created(two)];
      const other = newSessionId('ben');
      const deadlines = { createdAtMs: nowMs, idleUntilMs: nowMs + 60_000, absoluteUntilMs: nowMs + 90_000 };
      await two.create(other, { user: 'ben', data: {}, version: 1, ...deadlines });
      const epoch = await one.raiseEpoch('anna', kept);
      expect(await one.read(mine)).to.equal(undefined);
      expect(await two.read(theirs)).to.equal(undefined);
      expect((await one.read(kept))?.epochs.user).to.equal(epoch);
      expect(await two.read(other)).not.to.equal(undefined);
      for (const store of [one, two])
        expect((await store.listByUser('anna')).map(each => each.handle)).to.deep.equal([handle(kept)]);
      expect((await two.read(await created(two)))?.epochs.user).to.equal(epoch);
      expect(await two.raiseEpoch('anna')).to.be.greaterThan(epoch);
      expect(await one.read(kept)).to.equal(undefined);
    });

    it('ends a session whose file the raise of another process missed', async () => {
      const id = await created(two);
      const user = await folderOf(place);
      await rename(path.join(place.own, user), path.join(place.own, 'hidden'));
      await one.raiseEpoch('anna');
      await rename(path.join(place.own, 'hidden'), path.join(place.own, user));
      expect(await one.listByUser('anna')).to.deep.equal([]);
      expect(await two.read(id)).to.equal(undefined);
    });

    it('lets a process with a clock 60 s ahead end no session of the other by listing, and no later login', async () => {
      const ahead = opened(await createProcessFolder(directory, 'ahead'), () => nowMs + 60_000);
      const id = await created(two);
      expect(await ahead.listByUser('anna')).to.deep.equal([]);
      await ahead.tidy();
      expect(await two.read(id)).not.to.equal(undefined);
      await ahead.raiseEpoch('anna');
      await ahead.clear();
      expect(await two.read(id)).to.equal(undefined);
      expect(await two.read(await created(two))).not.to.equal(undefined);
      await ahead.close();
    });

    it('makes one epoch when both processes begin the first session of a user at once', async () => {
      for (let round = 0; round < 20; round++) {
        await rm(path.join(directory, '.epochs'), { recursive: true, force: true });
        const ids = await Promise.all([created(one), created(two), created(one), created(two)]);
        const found = await Promise.all(ids.map((id, at) => (at % 2 === 0 ? one : two).read(id)));
        expect(new Set(found.map(record => record?.epochs.user))).to.have.length(1);
        expect(found).not.to.include(undefined);
      }
    });

    it('moves the deadline in the list with a touch, and revives nothing', async () => {
      const id = await created(two);
      expect(await two.touch(id, nowMs + 99_000)).to.equal(true);
      expect((await one.listByUser('anna')).map(each => each.idleUntilMs)).to.deep.equal([nowMs + 90_000]);
    });

    it('refuses a second process of the same name', async () => {
      const id = await created(two);
      await expectRejection(createProcessFolder(directory, 'two'), FolderTaken);
      expect(await two.read(id)).not.to.equal(undefined);
      await two.close();
      const again = opened(await createProcessFolder(directory, 'two'));
      await again.close();
      expect((await readdir(directory)).filter(name => name.startsWith('two'))).to.deep.equal([]);
    });

    it('accepts at most one of several processes that start in parallel with one name', async () => {
      const starts = await Promise.allSettled(Array.from({ length: 5 }, () => createProcessFolder(directory, 'three')));
      const places = starts.flatMap(start => (start.status === 'fulfilled' ? [start.value] : []));
      for (const { leave } of places) leave();
      expect(places.length).to.be.at.most(1);
      (await createProcessFolder(directory, 'three')).leave();
    });

    it('removes the folder of a killed process, whatever its name, when another one starts', async () => {
      const id = await created(two);
      const user = await folderOf(place);
      const dead = path.join(directory, 'five~0123456789abcdef');
      await mkdir(dead);
      await rename(path.join(place.own, user), path.join(dead, user));
      expect(await one.listByUser('anna')).to.have.length(1);
      (await createProcessFolder(directory, 'four')).leave();
      expect(await one.listByUser('anna')).to.deep.equal([]);
      expect(await two.read(id)).to.equal(undefined);
    });

    it('accepts a path longer than a socket address', async () => {
      const deep = path.join(directory, ...Array.from({ length: 9 }, () => 'a name of twenty char'));
      const taken = await createProcessFolder(deep, 'two');
      await expectRejection(createProcessFolder(deep, 'two'), FolderTaken);
      taken.leave();
      await rm(path.join(directory, 'a name of twenty char'), { recursive: true });
    });

    it('removes expired entries, and none of a session that begins meanwhile', async () => {
      await created(two);
      expect(await readdir(place.own)).to.have.length(2);
      nowMs += 60_000;
      await two.tidy();
      expect(await readdir(place.own)).to.deep.equal(['s']);
      for (let rounds = 0; rounds < 50; rounds++) {
        const [id] = await Promise.all([created(two), two.tidy()]);
        expect(await two.read(id)).not.to.equal(undefined);
        await two.remove(id);
      }
    });

    it('ends no session if its file cannot be checked', async () => {
      const id = await created(two);
      const user = await folderOf(place);
      const file = path.join(place.own, user, handle(id));
      await rename(file, `${file}.aside`);
      await symlink(file, file);
      for (const call of [() => two.read(id), () => two.touch(id, nowMs + 1), () => one.listByUser('anna')]) {
        await expectRejection(call(), StoreUnavailable);
      }
      await rename(`${file}.aside`, file);
      expect(await two.read(id)).not.to.equal(undefined);
    });

    it('rejects a session that it cannot list', async () => {
      await rm(directory, { recursive: true });
      await writeFile(directory, 'a file where the directory was');
      const error = await expectRejection(created(one), StoreUnavailable);
      expect(error.message).to.match(/list of sessions/);
      await rm(directory);
    });
  });
});
