import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect } from 'chai';
import { SessionExists, StoreUnavailable } from '#src/sessions/errors.js';
import { digestOf, type NewSessionRecord, newSessionId, type SessionRecord } from '#src/sessions/session.js';
import type { SessionStore, StoreTransition } from '#src/sessions/session-store.js';
import { postgres } from '#src/sessions/stores/postgres.js';
import { expectRejection } from '../expect-rejection.js';
import { until } from '../until.js';
import { type PostgresServer, sql, startPostgres, withClient } from '../with-postgres.js';

const table = 'holdfast_sessions';
const epochTable = 'holdfast_epochs';

describe('postgres store', () => {
  let server: PostgresServer;
  let store: SessionStore;
  let transitions: string[];
  let nowMs: number;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  beforeEach(async () => {
    nowMs = Date.now();
    transitions = [];
    store = await opened();
    await sql(server, `TRUNCATE ${table}`);
  });
  afterEach(() => store.close());

  const onTransition = ({ up, why }: StoreTransition) => void transitions.push(`${up ? 'up' : 'down'}: ${why}`);

  async function opened(url = server.url, deadlineMs = 2_000): Promise<SessionStore> {
    const another = postgres.open({ url, deadlineMs, now: () => nowMs, onTransition });
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

  async function rows(): Promise<number> {
    return Number((await sql(server, `SELECT count(*) AS n FROM ${table}`))[0]?.n);
  }

  describe('rows', () => {
    it('have the SHA-256 of the id as key, and the id nowhere', async () => {
      const { id } = await created();
      const [row] = await sql(server, `SELECT encode(key, 'hex') AS key, t::text AS whole FROM ${table} t`);
      expect(row?.key).to.equal(digestOf(id));
      expect(String(row?.whole)).not.to.contain(id);
    });

    for (const [what, changes] of [
      ['a name with control characters', { user: 'a\0nna\n\u001b[31m' }],
      ['a name with half a character', { user: 'a\ud800' }],
      ['a name too long for an index', { user: 'ä'.repeat(20_000) }],
      ['data with a NUL', { data: { note: 'a\0b' } }],
      ['half a megabyte of data', { data: { blob: 'x'.repeat(500_000) } }],
    ] as const) {
      it(`may be ${what}`, async () => {
        const { id, made } = await created(changes);
        expect(await store.read(id)).to.deep.equal(made);
        expect(await store.listByUser(made.user)).to.have.length(1);
      });
    }

    for (const [what, change] of [
      ['data that is no JSON', `data_json = '{'`],
      ['data that is a list', `data_json = '[1]'`],
      ['data that is nothing', `data_json = 'null'`],
      ['a user that is no JSON', `user_json = 'anna'`],
      ['a user that is a number', `user_json = '5'`],
    ] as const) {
      it(`is no session when it is ${what}`, async () => {
        const { id } = await created();
        await sql(server, `UPDATE ${table} SET ${change}`);
        expect(await store.read(id)).to.equal(undefined);
      });
    }

    it('are found by index, and listed up to a thousand, the newest first', async () => {
      await created();
      await sql(
        server,
        `INSERT INTO ${table} SELECT sha256(n::text::bytea), sha256(('user-' || n % 3)::bytea), '"user-' || n % 3 || '"',
           1, $1::bigint + n, $1::bigint + 60000, $1::bigint + 90000, '{}', 1, (SELECT epoch FROM ${epochTable} WHERE user_key = '\\x00') FROM generate_series(1, 3300) n`,
        [nowMs],
      );
      await sql(server, `INSERT INTO ${epochTable} VALUES (sha256('user-1'), 1, 1)`);
      const listed = await store.listByUser('user-1');
      expect(listed).to.have.length(1_000);
      expect(listed[0]?.createdAtMs).to.equal(nowMs + 3_298);
      const plan = await sql(
        server,
        `EXPLAIN SELECT key FROM ${table} WHERE user_key = sha256('nobody') ORDER BY created_at_ms DESC LIMIT 1000`,
      );
      expect(JSON.stringify(plan)).to.contain(`${table}_of_user`);
    });
  });

  describe('writes', () => {
    it('create no missing row', async () => {
      const { id, made } = await created();
      await store.remove(id);
      expect(await store.replace(id, { ...made, version: 2 })).to.equal('gone');
      expect(await store.touch(id, nowMs + 1)).to.equal(false);
      expect(await rows()).to.equal(0);
    });

    it('create no second row, and do not overwrite an expired one', async () => {
      const { id, made } = await created();
      nowMs = made.absoluteUntilMs;
      await expectRejection(store.create(id, record({ data: {} })), SessionExists);
      nowMs -= 40_000;
      expect((await store.read(id))?.user).to.equal('anna');
      expect(await rows()).to.equal(1);
    });

    /** Returns the result of a call that had to wait for another transaction. */
    async function afterWaiting<T>(change: string, call: () => Promise<T>): Promise<T> {
      return withClient(server, async other => {
        await other.query('BEGIN');
        await other.query(change);
        const outcome = call();
        await until(async () => (await waiting()) === 1);
        await other.query('COMMIT');
        return outcome;
      });
    }

    async function waiting(): Promise<number> {
      const text = `SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'holdfast' AND wait_event_type = 'Lock'`;
      return Number((await sql(server, text))[0]?.n);
    }

    for (const [change, outcome] of [
      [`UPDATE ${table} SET version = version + 1`, 'conflict'],
      [`DELETE FROM ${table}`, 'gone'],
    ] as const) {
      it(`resolve with ${outcome} after waiting for another client's ${change.slice(0, 6)}`, async () => {
        const { id, made } = await created();
        expect(await afterWaiting(change, () => store.replace(id, { ...made, version: 2 }))).to.equal(outcome);
        const next = await created();
        expect(await afterWaiting(change, () => store.remove(next.id, 1))).to.equal(outcome);
      });
    }

    it('keep a concurrent change when a touch had to wait', async () => {
      const { id } = await created();
      const change = `UPDATE ${table} SET version = 2, data_json = '{"n":2}'`;
      expect(await afterWaiting(change, () => store.touch(id, nowMs + 61_000))).to.equal(true);
      const after = await store.read(id);
      expect([after?.version, after?.data, after?.idleUntilMs]).to.deep.equal([2, { n: 2 }, nowMs + 61_000]);
    });
  });

  describe('statements', () => {
    it('are prepared once per connection', () =>
      withRecorder(server.url, async (url, sent) => {
        const far = await opened(url);
        try {
          for (let n = 0; n < 20; n++) await far.read(newSessionId('anna'));
          expect([...sent().matchAll(/P.{4}holdfast_read\0/gs)], 'prepared').to.have.length(1);
          expect([...sent().matchAll(/B.{4}\0holdfast_read\0/gs)], 'used').to.have.length(20);
        } finally {
          await far.close();
        }
      }));

    it('use ten connections at most, and wait for a free one', async () => {
      const { id } = await created();
      const found = await Promise.all(Array.from({ length: 400 }, () => store.read(id)));
      expect(found.every(each => each?.user === 'anna')).to.equal(true);
      const text = `SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'holdfast'`;
      expect(Number((await sql(server, text))[0]?.n)).to.be.within(2, 10);
    });

    it('reject at once when too many wait; waiting ones time out, and the server is not reported as lost', async () => {
      const hasty = await opened(server.url, 1_000);
      await withClient(server, async other => {
        await other.query('BEGIN');
        await other.query(`LOCK ${table}`);
        const calls = Array.from({ length: 2_100 }, () =>
          expectRejection(hasty.read(newSessionId('anna')), StoreUnavailable),
        );
        const causes = (await Promise.all(calls)).map(({ cause }) => String(cause));
        expect(causes.filter(cause => cause === 'Error: 2000 questions wait already')).to.have.length(90);
        await other.query('COMMIT');
      });
      expect(await hasty.read(newSessionId('anna'))).to.equal(undefined);
      // A query that timed out here does not go on waiting in the server either.
      const text = `SELECT FROM pg_stat_activity WHERE application_name = 'holdfast' AND state = 'active'`;
      await until(async () => (await sql(server, text)).length === 0);
      await hasty.close();
      expect(transitions).to.deep.equal([]);
    });
  });

  describe('the table', () => {
    it('is created once by many backends that start in parallel', async () => {
      for (let round = 0; round < 4; round++) {
        await sql(server, `DROP TABLE ${table}`);
        const many = await Promise.all(Array.from({ length: 8 }, () => opened()));
        const ids = await Promise.all(many.map(each => createdBy(each)));
        expect(await rows()).to.equal(ids.length);
        await Promise.all(many.map(each => each.close()));
      }
      expect(transitions).to.deep.equal([]);
    });

    async function createdBy(another: SessionStore): Promise<string> {
      const id = newSessionId('anna');
      await another.create(id, record());
      return id;
    }

    it('is created again after it was dropped', async () => {
      await sql(server, `DROP TABLE ${table}`);
      await expectRejection(created(), StoreUnavailable);
      await until(() => store.ready(100));
      const { id, made } = await created();
      expect(await store.read(id)).to.deep.equal(made);
      expect(transitions).to.deep.equal([]);
    });

    it('of version 0.1 gets the new columns, and its sessions have ended', async () => {
      const { id } = await created();
      await sql(server, `ALTER TABLE ${table} DROP COLUMN user_epoch, DROP COLUMN everyone_epoch`);
      await sql(server, `DROP TABLE ${epochTable}`);
      const updated = await opened();
      const next = newSessionId('anna');
      await updated.create(next, record());
      expect(await updated.read(id)).to.equal(undefined);
      expect((await updated.read(next))?.user).to.equal('anna');
      await updated.close();
    });

    it('may belong to another role that grants access', async () => {
      await sql(server, `CREATE ROLE shop LOGIN PASSWORD 'p'`);
      await sql(server, `GRANT SELECT, INSERT, UPDATE, DELETE ON ${table}, ${epochTable} TO shop`);
      const { host, pathname } = new URL(server.url);
      const guest = await opened(`postgresql://shop:p@${host}${pathname}`);
      const id = await createdBy(guest);
      expect(await guest.remove(id)).to.equal('removed');
      await guest.clear();
      await guest.close();
    });
  });

  it('reports refused writes once, still reads, and reports the recovery', async () => {
    const { id, made } = await created();
    const readOnly = async (isOn: boolean) => {
      await sql(server, `ALTER DATABASE postgres SET default_transaction_read_only = ${isOn}`);
      await sql(server, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'`);
    };
    await readOnly(true);
    await until(async () => (await store.read(id).catch(() => undefined))?.version === 1);
    for (const _ of [1, 2, 3]) await expectRejection(store.replace(id, { ...made, version: 2 }), StoreUnavailable);
    expect((await store.read(id))?.version).to.equal(1);
    expect(transitions.join()).to.match(/^down: it refuses writes: cannot execute [^,]* in a read-only transaction$/);
    await withClient(server, async other => {
      await other.query('SET default_transaction_read_only = off');
      await other.query('ALTER DATABASE postgres RESET default_transaction_read_only');
    });
    // Refused connections are closed by now. New connections may write.
    await sql(server, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'`);
    while (transitions.length === 1) await store.touch(id, nowMs + 60_000).catch(() => undefined);
    expect(transitions.slice(1)).to.deep.equal(['up: it takes writes again']);
  });

  it('rejects an address of another kind, shows an example, and repeats no password', () => {
    for (const url of [undefined, '', 'localhost', 'redis://a:hush@h:6379', 'postgres:hush', 'postgresql://']) {
      const open = () => postgres.open({ url, deadlineMs: 100, now: Date.now });
      expect(open).to.throw(/postgresql:\/\/user@127\.0\.0\.1:5432\/db(?!.*hush)/);
    }
  });
});

/** A relay that records what is sent to the server. */
async function withRecorder(url: string, work: (url: string, sent: () => string) => Promise<void>): Promise<void> {
  const target = new URL(url);
  const port = Number(target.port);
  const chunks: Buffer[] = [];
  const recorder = createServer(client => {
    const upstream = connect(port, '127.0.0.1').on('error', () => undefined);
    client.on('error', () => undefined).on('data', chunk => void chunks.push(chunk));
    client.pipe(upstream).pipe(client);
  });
  await once(recorder.listen(0, '127.0.0.1'), 'listening');
  const address = recorder.address();
  target.port = String(typeof address === 'object' ? address?.port : 0);
  try {
    await work(target.href, () => Buffer.concat(chunks).toString('latin1'));
  } finally {
    recorder.close();
  }
}
