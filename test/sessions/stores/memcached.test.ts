import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import {
  digestOf,
  handleOf,
  type NewSessionRecord,
  newSessionId,
  type SessionRecord,
  userTagOf,
} from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import { memcached } from '#src/sessions/stores/memcached.js';
import { until } from '../until.js';
import { type MemcachedServer, startMemcached, tell } from '../with-memcached.js';

const everyoneKey = 'holdfast:everyone';
const epochOf = (user: string) => `holdfast:epoch:${userTagOf(user)}`;
const keyOf = (id: string) => `holdfast:session:${digestOf(id)}`;
const listOf = (user: string) => `holdfast:user:${userTagOf(user)}`;

describe('memcached store', () => {
  let server: MemcachedServer;
  let store: SessionStore;
  let nowMs: number;

  before(async () => {
    server = await startMemcached();
  });
  after(() => server.stop());
  beforeEach(async () => {
    nowMs = Date.now();
    await tell(server, 'flush_all\r\n');
    store = await opened();
  });
  afterEach(() => store.close());

  async function opened(): Promise<SessionStore> {
    const another = memcached.open({ url: server.url, deadlineMs: 1_000, now: () => nowMs });
    expect(await another.ready(5_000)).to.equal(true);
    return another;
  }

  function record(changes: Partial<NewSessionRecord> = {}): NewSessionRecord {
    const deadlines = { idleUntilMs: nowMs + 60_000, absoluteUntilMs: nowMs + 90_000 };
    return { user: 'anna', data: { n: 1 }, version: 1, createdAtMs: nowMs, ...deadlines, ...changes };
  }

  async function created(changes: Partial<NewSessionRecord> = {}): Promise<{ id: string; made: SessionRecord }> {
    const wanted = record(changes);
    const id = newSessionId(wanted.user);
    return { id, made: { ...wanted, epochs: await store.create(id, wanted) } };
  }

  /** Returns the value of a key, without the protocol lines around it. */
  async function raw(key: string): Promise<string | undefined> {
    const answer = await tell(server, `get ${key}\r\n`, 'END\r\n');
    return /^VALUE .*?\r\n(.*)\r\nEND\r\n$/s.exec(answer)?.[1];
  }

  async function plant(key: string, text: string): Promise<void> {
    await tell(server, `set ${key} 0 0 ${Buffer.byteLength(text)}\r\n${text}\r\n`);
  }

  /** Returns the expiry in seconds since the epoch; -1 is never. */
  async function expiryOf(key: string): Promise<number> {
    const dump = await tell(server, 'lru_crawler metadump all\r\n', 'END\r\n');
    const line = dump.split('\n').find(each => decodeURIComponent(each).includes(key));
    return Number(/ exp=(-?\d+)/.exec(line ?? '')?.[1]);
  }

  it('has neither the id nor the user name in a key', async () => {
    const { id } = await created();
    // memcached leaves out an item that it is moving.
    const dumped = async () => decodeURIComponent(await tell(server, 'lru_crawler metadump all\r\n', 'END\r\n'));
    const keysIn = (text: string) => [...text.matchAll(/key=(\S+)/g)].map(([, key]) => key);
    await until(async () => keysIn(await dumped()).length === 4);
    const dump = await dumped();
    expect([keyOf(id), listOf('anna'), epochOf('anna'), everyoneKey]).to.include.members(keysIn(dump));
    expect([dump, await raw(keyOf(id)), await raw(listOf('anna'))].join()).not.to.contain(id);
  });

  it('gives memcached an expiry just after the earlier deadline, and moves it with a touch', async () => {
    const [idle, absolute] = [await created(), await created({ absoluteUntilMs: nowMs + 30_000 })];
    // memcached reports the second in which its clock ticks. It expires items then: up to a second later.
    const soonAfter = async (id: string, untilMs: number) =>
      expect((await expiryOf(keyOf(id))) * 1_000).to.be.within(untilMs - 1_000, untilMs + 3_000);
    await soonAfter(idle.id, nowMs + 60_000);
    await soonAfter(absolute.id, nowMs + 30_000);
    await store.touch(idle.id, nowMs + 70_000);
    await soonAfter(idle.id, nowMs + 70_000);
    await store.replace(idle.id, { ...idle.made, version: 2 });
    await soonAfter(idle.id, nowMs + 70_000);
    await store.touch(idle.id, nowMs + 999_000);
    await soonAfter(idle.id, nowMs + 90_000);
  });

  it('sends a life of more than 30 days as a date, because memcached reads long durations as dates', async () => {
    const untilMs = nowMs + 40 * 24 * 3_600_000;
    const { id, made } = await created({ idleUntilMs: untilMs, absoluteUntilMs: untilMs });
    expect(await store.read(id)).to.deep.equal(made);
    expect((await expiryOf(keyOf(id))) * 1_000).to.be.within(untilMs - 1_000, untilMs + 3_000);
    expect(await store.listByUser('anna')).to.have.length(1);
  });

  it('stores and reads data of the declared maximum size', async () => {
    const { id, made } = await created({ data: { blob: 'ü'.repeat(memcached.capabilities.dataBytesMax / 2 - 7) } });
    expect(await store.read(id)).to.deep.equal(made);
  });

  describe('garbage', () => {
    const head = '1 9000000000000 9000000000000 1';
    for (const [what, text] of [
      ['nothing', ''],
      ['a foreign word', 'not ours'],
      ['no JSON', `${head} EPOCHS "anna"\n{"cut`],
      ['JSON that is no object', `${head} EPOCHS "anna"\n[1]`],
      ['a user that is no text', `${head} EPOCHS 7\n{}`],
      ['no data', `${head} EPOCHS "anna"`],
      ['a deadline that is no number', '1 never 9000000000000 1 EPOCHS "anna"\n{}'],
      ['another epoch', `${head} 1 1 "anna"\n{}`],
      ['no epoch', `${head} "anna"\n{}`],
    ] as const) {
      it(`treats ${what} under a session key as no session`, async () => {
        await created();
        const id = newSessionId('anna');
        await plant(keyOf(id), text.replace('EPOCHS', `${await raw(epochOf('anna'))} ${await raw(everyoneKey)}`));
        expect(await store.read(id)).to.equal(undefined);
      });
    }

    it('is no session for writes either, and create replaces it', async () => {
      const [id, made] = [newSessionId('anna'), record()];
      await plant(keyOf(id), 'not ours');
      expect(await store.touch(id, made.idleUntilMs)).to.equal(false);
      expect(await store.replace(id, { ...made, version: 2, epochs: { user: 1, everyone: 1 } })).to.equal('gone');
      expect(await store.remove(id, 1)).to.equal('gone');
      const epochs = await store.create(id, made);
      expect(await store.read(id)).to.deep.equal({ ...made, epochs });
    });

    it('reads back a user name with spaces, quotes, line breaks and a lone surrogate', async () => {
      const user = '1 2 "3"\r\nEND\r\n4 \u{1f980} \ud800';
      const { id, made } = await created({ user });
      await store.touch(id, made.idleUntilMs);
      expect(await store.read(id)).to.deep.equal(made);
      expect(await store.listByUser(user)).to.have.length(1);
    });
  });

  describe('the list of a user', () => {
    it('is empty after it was evicted, and its sessions stay alive', async () => {
      const { id, made } = await created();
      await tell(server, `delete ${listOf('anna')}\r\n`);
      expect(await store.listByUser('anna')).to.deep.equal([]);
      expect(await store.read(id)).to.deep.equal(made);
      const next = await created();
      expect((await store.listByUser('anna')).map(({ handle }) => handle)).to.deep.equal([handleOf(digestOf(next.id))]);
      await store.raiseEpoch('anna');
      for (const each of [id, next.id]) expect(await store.read(each)).to.equal(undefined);
    });

    it('drops ended sessions when it is read', async () => {
      const [kept, removed, lost] = [await created(), await created(), await created()];
      await store.remove(removed.id);
      await tell(server, `delete ${keyOf(lost.id)}\r\n`);
      expect(await store.listByUser('anna')).to.have.length(1);
      expect(await raw(listOf('anna'))).to.equal(`${digestOf(kept.id)}\n`);
      await store.remove(kept.id);
      expect(await store.listByUser('anna')).to.deep.equal([]);
      expect(await raw(listOf('anna'))).to.equal(undefined);
    });

    it('ignores foreign lines and sessions of other users', async () => {
      const { id } = await created();
      const other = await created({ user: 'ben' });
      await tell(server, `delete ${listOf('anna')}\r\n`);
      await plant(listOf('anna'), `not ours\n${digestOf(other.id)}\n${digestOf(id)}\n`);
      expect((await store.listByUser('anna')).map(({ handle }) => handle)).to.deep.equal([handleOf(digestOf(id))]);
      expect(await store.removeByHandle('anna', handleOf(digestOf(other.id)))).to.equal(false);
      expect(await store.read(other.id)).to.deep.equal(other.made);
    });

    it('has all of many sessions that begin in parallel', async () => {
      await Promise.all(Array.from({ length: 40 }, () => created()));
      expect(await store.listByUser('anna')).to.have.length(40);
    });

    it('lists a thousand, and they can be ended in parallel', async () => {
      for (let rounds = 0; rounds < 22; rounds++) await Promise.all(Array.from({ length: 50 }, () => created()));
      const shown = await store.listByUser('anna');
      expect(shown).to.have.length(1_000);
      const ended = await Promise.all(shown.map(({ handle }) => store.removeByHandle('anna', handle)));
      expect(ended.every(Boolean)).to.equal(true);
      expect(await store.listByUser('anna')).to.have.length(100);
    });
  });

  describe('clear', () => {
    it('ends every session, and keeps the items of other applications', async () => {
      await plant('somebody:else', 'precious');
      const { id } = await created();
      await store.clear();
      expect(await store.read(id)).to.equal(undefined);
      expect(await raw('somebody:else')).to.equal('precious');
    });

    it('takes effect for every client at once, in writes too', async () => {
      const other = await opened();
      const { id, made } = await created();
      await other.clear();
      expect(await store.touch(id, made.idleUntilMs)).to.equal(false);
      expect(await store.replace(id, { ...made, version: 2 })).to.equal('gone');
      expect(await store.remove(id)).to.equal('gone');
      await other.close();
    });

    for (const [what, lose] of [
      ['everyone is lost', () => tell(server, `delete ${everyoneKey}\r\n`)],
      ['everyone is overwritten', () => plant(everyoneKey, 'not ours')],
      ['the user is lost', () => tell(server, `delete ${epochOf('anna')}\r\n`)],
      ['the user is overwritten', () => plant(epochOf('anna'), 'not ours')],
    ] as const) {
      it(`ends every session for good when the epoch of ${what}`, async () => {
        const [first, ended] = [await created(), await created()];
        await store.remove(ended.id);
        nowMs += 1;
        await lose();
        expect(await store.read(first.id)).to.equal(undefined);
        const next = await created();
        expect(await store.read(next.id)).to.deep.equal(next.made);
        for (const { id } of [first, ended]) expect(await store.read(id)).to.equal(undefined);
      });
    }
  });

  describe('races', () => {
    it('lets either the removal or the change of a version win, never both', async () => {
      const other = await opened();
      const seen = new Set<string>();
      // Which of the two wins depends on the machine. It goes on until each has won once.
      for (let round = 0; round < 60 || (round < 1_000 && (!seen.has('conflict saved') || seen.size < 2)); round++) {
        const { id, made } = await created();
        const change = () => other.replace(id, { ...made, version: 2, data: { late: true } });
        const removal = () => store.remove(id, 1);
        // The first caller alternates, so that each of the two can win.
        const [removed, changed] = round % 2 === 0 ? [removal(), change()] : [change(), removal()].reverse();
        const outcome = `${await removed} ${await changed}`;
        seen.add(outcome);
        expect(outcome).to.be.oneOf(['removed gone', 'conflict saved', 'removed conflict']);
        expect((await store.read(id))?.version).to.equal(outcome === 'conflict saved' ? 2 : undefined);
      }
      expect(seen.has('conflict saved') && seen.size > 1, [...seen].join()).to.equal(true);
      await other.close();
    });

    it('removes in one step: a client that read earlier can no longer change, touch or recreate it', async () => {
      const { id, made } = await created();
      const [, cas = ''] =
        /^VALUE \S+ \d+ \d+ (\d+)/.exec(await tell(server, `gets ${keyOf(id)}\r\n`, 'END\r\n')) ?? [];
      expect(await store.remove(id, 1)).to.equal('removed');
      expect(await tell(server, `cas ${keyOf(id)} 0 60 2 ${cas}\r\nxx\r\n`)).to.equal('NOT_FOUND\r\n');
      expect(await tell(server, `append ${keyOf(id)} 0 60 2\r\nxx\r\n`)).to.equal('NOT_STORED\r\n');
      expect(await store.touch(id, made.idleUntilMs)).to.equal(false);
      expect(await raw(keyOf(id))).to.equal(undefined);
    });

    it('loses no parallel edit of two processes', async () => {
      const { id } = await created({ data: { edits: [] } });
      const [edits, script] = [60, editor(server.url, id)];
      const other = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 15_000 });
      for (let made = 0; made < edits; ) {
        const found = await store.read(id);
        if (found === undefined) throw new Error('the session is gone');
        const data = { edits: [...editsOf(found), `mine-${made}`] };
        if ((await store.replace(id, { ...found, data, version: found.version + 1 })) === 'saved') made++;
      }
      const { conflicts } = JSON.parse((await other).stdout);
      const end = await store.read(id);
      expect(editsOf(end)).to.have.length(2 * edits);
      expect(new Set(editsOf(end))).to.have.length(2 * edits);
      expect(conflicts).to.be.a('number');
    });

    it('rejects a touch that loses every race, instead of undoing a change', async () => {
      const { id, made } = await created();
      const other = await opened();
      let version = 1;
      const changes = Array.from({ length: 200 }, async () => {
        const found = await other.read(id);
        if (found !== undefined && (await other.replace(id, { ...made, version: found.version + 1 })) === 'saved')
          version++;
      });
      const touches = Array.from({ length: 20 }, (_, at) => store.touch(id, nowMs + 60_000 + at).catch(error => error));
      for (const outcome of await Promise.all(touches)) {
        expect(outcome === true || outcome instanceof StoreUnavailable).to.equal(true);
      }
      await Promise.all(changes);
      expect((await store.read(id))?.version).to.equal(version);
      await other.close();
    });
  });

  it('rejects an address of another kind, and shows an example', () => {
    for (const url of [undefined, '', 'localhost', 'redis://127.0.0.1:6379', '127.0.0.1:11211', 'memcached://a:b@c']) {
      expect(() => memcached.open({ url, deadlineMs: 100, now: Date.now })).to.throw('memcached://127.0.0.1:11211');
    }
  });
});

function editsOf(record: SessionRecord | undefined): readonly string[] {
  const edits = record?.data.edits;
  return Array.isArray(edits) ? edits.map(String) : [];
}

/** Starts another process that edits the same session sixty times, like another backend. */
function editor(url: string, id: string): string {
  return `
    import { memcached } from '#src/sessions/stores/memcached.js';
    const store = memcached.open({ url: '${url}', deadlineMs: 1_000, now: Date.now });
    await store.ready(5_000);
    let conflicts = 0;
    for (let made = 0; made < 60; ) {
      const found = await store.read('${id}');
      const data = { edits: [...found.data.edits, 'theirs-' + made] };
      if ((await store.replace('${id}', { ...found, data, version: found.version + 1 })) === 'saved') made++;
      else conflicts++;
    }
    console.log(JSON.stringify({ conflicts }));
    await store.close();`;
}
