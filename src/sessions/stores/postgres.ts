import { SessionExists, StoreUnavailable } from '../errors.js';
import { readyWithin } from '../in-time.js';
import type { SessionRecord, SessionSummary } from '../session.js';
import type { SessionStore, StoreEntry, StoreSettings } from '../session-store.js';
import { StoreTransitions } from '../store-transitions.js';
import { Connections, isTaken, refusalOf } from './postgres/connections.js';
import { keyOf, type Row, recordOf, summaryOf, type Value, valuesOf } from './postgres/record-row.js';
import * as statements from './postgres/statements.js';
import { Watch } from './postgres/watch.js';

const listedMax = 1_000;
const pruneIntervalMs = 60_000;
/** The clocks of backends differ: for so long nobody's row is pruned that is over by ours. */
const pruneAfterMs = 60_000;
const handleShape = /^[0-9a-f]{16}$/;

/** Sessions in a table of PostgreSQL, each call one statement. It never upserts: what is not there is not made by
 * changing it. */
class PostgresStore implements SessionStore {
  readonly #now: () => number;
  readonly #edges: StoreTransitions;
  readonly #connections: Connections;
  readonly #watch: Watch;
  readonly #pruner: Pruner;

  constructor(url: string, { deadlineMs, now, onTransition }: StoreSettings) {
    this.#now = now;
    this.#edges = new StoreTransitions(onTransition);
    this.#connections = new Connections({ url, deadlineMs, onLost: () => this.#watch.doubt() });
    this.#watch = new Watch(() => this.#connections.probe(), this.#edges);
    this.#watch.doubt();
    this.#pruner = new Pruner({ intervalMs: pruneIntervalMs, prune: rowsMax => this.#prune(rowsMax) });
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const [row] = await this.#ask(statements.read, [keyOf(id), this.#nowMs()]);
    return row && recordOf(row);
  }

  async create(id: string, record: SessionRecord): Promise<void> {
    await this.#ask(statements.create, valuesOf(id, record));
  }

  async replace(id: string, { version, data }: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    const values = [keyOf(id), this.#nowMs(), version, JSON.stringify(data)];
    const outcome = outcomeOf(await this.#ask(statements.replace, values));
    return outcome === 'saved' || outcome === 'conflict' ? outcome : 'gone';
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    return (await this.#ask(statements.touch, [keyOf(id), this.#nowMs(), Math.floor(idleUntilMs)])).length > 0;
  }

  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const values = [keyOf(id), this.#nowMs(), onlyVersion ?? null];
    const outcome = outcomeOf(await this.#ask(statements.remove, values));
    return outcome === 'removed' || outcome === 'conflict' ? outcome : 'gone';
  }

  async listByUser(user: string): Promise<readonly SessionSummary[]> {
    const values = [keyOf(user), this.#nowMs(), JSON.stringify(user), listedMax];
    return (await this.#ask(statements.listByUser, values)).flatMap(summaryOf);
  }

  async removeByHandle(user: string, handle: string): Promise<boolean> {
    const prefix = Buffer.from(handleShape.test(handle) ? handle : '', 'hex');
    if (prefix.length === 0) return false;
    const values = [keyOf(user), this.#nowMs(), JSON.stringify(user), prefix];
    return (await this.#ask(statements.removeByHandle, values)).length > 0;
  }

  async clear(): Promise<void> {
    await this.#ask(statements.clear, []);
  }

  ready(withinMs: number): Promise<boolean> {
    return readyWithin(withinMs, { serves: () => this.#watch.ask(), isOver: () => this.#watch.isClosed });
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.#pruner.close();
    await this.#connections.close();
  }

  /** Refused at once while the server is away. */
  async #ask(statement: statements.Statement, values: readonly Value[]): Promise<readonly Row[]> {
    try {
      if (!this.#watch.isUp) throw new Error('the server is away');
      const rows = await this.#connections.ask(statement, values);
      this.#edges.served(statement.kind);
      return rows;
    } catch (error) {
      if (isTaken(error)) throw new SessionExists();
      const refusal = refusalOf(error);
      if (refusal !== undefined) this.#edges.refused(statement.kind, refusal);
      else if (this.#watch.isUp) this.#watch.doubt();
      throw new StoreUnavailable('the session store does not answer', { cause: error });
    }
  }

  async #prune(rowsMax: number): Promise<number> {
    return (await this.#ask(statements.prune, [this.#nowMs() - pruneAfterMs, rowsMax])).length;
  }

  #nowMs(): number {
    return Math.floor(this.#now());
  }
}

function outcomeOf([row]: readonly Row[]): unknown {
  return row?.outcome;
}

function checked(url: string | undefined): string {
  const { protocol, hostname } = url !== undefined && URL.canParse(url) ? new URL(url) : notAnAddress;
  if (url !== undefined && /^postgres(?:ql)?:$/.test(protocol) && hostname !== '') return url;
  // Not what was given: whatever stands in it may be a password.
  const given = url === undefined || url === '' ? 'none' : 'something else';
  throw new Error(
    `the session store "postgres" needs an address such as postgresql://user@127.0.0.1:5432/db, but was given ${given}`,
  );
}

const notAnAddress = { protocol: '', hostname: '' };

export const postgres: StoreEntry = {
  capabilities: { compareAndSet: true, durability: 'disk', revocationLagMs: 0, dataBytesMax: 512 * 1024 },
  open: settings => new PostgresStore(checked(settings.url), settings),
};

/** How many rows one statement removes: few enough to be done well within its deadline. */
export const prunedAtOnce = 500;

interface PrunerOptions {
  /** Between two rounds, half of it up to one and a half times: backends that were started together soon are apart. */
  readonly intervalMs: number;
  /** Removes up to so many rows that are over; resolves with how many it were. */
  prune(rowsMax: number): Promise<number>;
}

/** Removes what is over from time to time, until it is closed. Nobody waits for it, nor need it succeed: what is over is
 * not there for anybody, pruned or not. */
export class Pruner {
  readonly #options: PrunerOptions;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: PrunerOptions) {
    this.#options = options;
    this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (this.#isClosed) return;
    const waitMs = this.#options.intervalMs * (0.5 + Math.random());
    this.#timer = setTimeout(() => void this.#round().finally(() => this.#wait()), waitMs).unref();
  }

  async #round(): Promise<void> {
    try {
      for (let removed = prunedAtOnce; removed === prunedAtOnce && !this.#isClosed; ) {
        removed = await this.#options.prune(prunedAtOnce);
      }
    } catch {
      // The store is away: the next round will find the same rows.
    }
  }
}
