import { expect } from 'chai';
import { Connections } from '#src/sessions/stores/postgres/connections.js';
import { prune } from '#src/sessions/stores/postgres/statements.js';
import { Pruner, prunedAtOnce } from '#src/sessions/stores/postgres.js';
import { until } from '../../until.js';
import { type PostgresServer, sql, startPostgres, withClient } from '../../with-postgres.js';

const table = 'holdfast_sessions';
const over = prunedAtOnce * 2 + 100;

describe('postgres store: pruning', () => {
  let server: PostgresServer;
  let connections: Connections;

  before(async () => {
    server = await startPostgres();
    connections = new Connections({ url: server.url, deadlineMs: 2_000, onLost: () => undefined });
    await connections.probe();
  });
  after(async () => {
    await connections.close();
    await server.stop();
  });
  beforeEach(() => sql(server, `TRUNCATE ${table}`));

  /** Inserts rows with these idle and absolute deadlines. */
  async function insert(count: number, idleUntilMs: number, absoluteUntilMs: number): Promise<void> {
    const text = `INSERT INTO ${table} SELECT sha256(gen_random_uuid()::text::bytea), 'u', '"u"', 1, 0, $2, $3, '{}'
      FROM generate_series(1, $1)`;
    await sql(server, text, [count, idleUntilMs, absoluteUntilMs]);
  }

  async function remaining(): Promise<number> {
    return Number((await sql(server, `SELECT count(*) AS n FROM ${table}`))[0]?.n);
  }

  /** Prunes as if the clock were at 1,000. Records the number of rows that each statement removed. */
  async function withPruner(work: (removed: readonly number[]) => Promise<void>): Promise<void> {
    const removed: number[] = [];
    const once = async (rowsMax: number) => {
      const { length } = await connections.ask(prune, [1_000, rowsMax]);
      removed.push(length);
      return length;
    };
    const pruner = new Pruner({ intervalMs: 20, prune: once });
    try {
      await work(removed);
    } finally {
      pruner.close();
    }
  }

  it('removes rows past either deadline in bounded steps, and no others', async () => {
    await insert(over - 50, 1_000, 9_000);
    await insert(50, 9_000, 999);
    await insert(7, 1_001, 9_000);
    await withPruner(async removed => {
      await until(async () => (await remaining()) === 7);
      await until(() => removed.length > 3);
      expect(removed.slice(0, 3)).to.deep.equal([prunedAtOnce, prunedAtOnce, 100]);
    });
    expect(await remaining()).to.equal(7);
  });

  it('many backends can prune in parallel', async () => {
    await insert(over, 1_000, 9_000);
    await withPruner(first =>
      withPruner(async second => {
        await until(async () => (await remaining()) === 0);
        await until(() => first.length > 1 && second.length > 1);
        expect([...first, ...second].reduce((sum, each) => sum + each, 0)).to.equal(over);
      }),
    );
  });

  it('leaves a locked row to a later round', async () => {
    await insert(3, 1_000, 9_000);
    await withPruner(async removed => {
      await withClient(server, async client => {
        await client.query('BEGIN');
        await client.query(`UPDATE ${table} SET idle_until_ms = 5000 WHERE key = (SELECT min(key) FROM ${table})`);
        await until(() => removed.length > 3);
        await client.query('COMMIT');
      });
      const seen = removed.length;
      await until(() => removed.length > seen + 1);
    });
    expect(await remaining()).to.be.oneOf([0, 1]);
  });

  it('finds its rows by index', async () => {
    await insert(5_000, 9_000, 9_000);
    await sql(server, `ANALYZE ${table}`);
    const plan = JSON.stringify(
      await sql(server, `EXPLAIN ${prune.text.replaceAll('$1', '1').replaceAll('$2', '500')}`),
    );
    expect(plan).to.contain(`${table}_over`);
  });

  it('continues after a failure, and stops when it is closed', async () => {
    let calls = 0;
    const failing = new Pruner({
      intervalMs: 4,
      prune: async () => {
        calls++;
        throw new Error('the store is away');
      },
    });
    await until(() => calls > 2);
    failing.close();
    const seen = calls;
    await until(async () => (await remaining()) === 0);
    await sql(server, 'SELECT pg_sleep(0.05)');
    expect(calls).to.equal(seen);
  });
});
