import { SessionExists, StoreUnavailable } from '../errors.js';
import {
  assertIdOfUser,
  type Epochs,
  type NewSessionRecord,
  nextEpoch,
  type SessionRecord,
  type SessionSummary,
} from '../session.js';
import {
  pollUntilReady,
  type SessionStore,
  type StoreEntry,
  type StoreSettings,
  StoreTransitions,
} from '../session-store.js';
import { Connections, isDuplicateKey, refusalOf, Watch } from './postgres/connections.js';
import * as statements from './postgres/statements.js';
import {
  epochsOf,
  keyOf,
  type Row,
  recordOf,
  summaryOf,
  type Value,
  valuesOf,
  valuesOfRaise,
} from './postgres/statements.js';

const listedMax = 1_000;
const pruneIntervalMs = 60_000;
/** Clocks of backends differ. A row is pruned only after it has expired for this long by our clock. */
const pruneAfterMs = 60_000;
const handleShape = /^[0-9a-f]{16}$/;

/** Sessions in a table of PostgreSQL; each call is one statement. A change updates a row and never inserts one,
 * so it cannot create a session. Only epochs are upserted. */
class PostgresStore implements SessionStore {
  readonly #now: () => number;
  readonly #transitions: StoreTransitions;
  readonly #connections: Connections;
  readonly #watch: Watch;
  readonly #pruner: Pruner;

  constructor(url: string, { deadlineMs, now, onTransition }: StoreSettings) {
    this.#now = now;
    this.#transitions = new StoreTransitions(onTransition);
    this.#connections = new Connections({ url, deadlineMs, onLost: () => this.#watch.recheck() });
    this.#watch = new Watch(() => this.#connections.probe(), this.#transitions);
    this.#watch.recheck();
    this.#pruner = new Pruner({ intervalMs: pruneIntervalMs, prune: rowsMax => this.#prune(rowsMax) });
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const [row] = await this.#ask(statements.read, [keyOf(id), this.#nowMs()]);
    return row && recordOf(row);
  }

  async create(id: string, record: NewSessionRecord): Promise<Epochs> {
    assertIdOfUser(id, record.user);
    const [row = {}] = await this.#ask(statements.create, valuesOf(id, record, this.#nowMs()));
    return epochsOf(row);
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

  async raiseEpoch(user: string, except?: string): Promise<number> {
    const [row] = await this.#ask(statements.raiseEpoch, valuesOfRaise(user, except, this.#nowMs()));
    return Number(row?.epoch);
  }

  async clear(): Promise<number> {
    const nowMs = this.#nowMs();
    const [row] = await this.#ask(statements.clear, [nowMs, nextEpoch(undefined, nowMs)]);
    return Number(row?.epoch);
  }

  ready(withinMs: number): Promise<boolean> {
    return pollUntilReady(withinMs, { serves: () => this.#watch.ask(), isOver: () => this.#watch.isClosed });
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.#pruner.close();
    await this.#connections.close();
  }

  /** Runs a statement. Rejects at once while the server is down. */
  async #ask(statement: statements.Statement, values: readonly Value[]): Promise<readonly Row[]> {
    try {
      if (!this.#watch.isUp) throw new Error('the server is down');
      const rows = await this.#connections.ask(statement, values);
      this.#transitions.markServed(statement.kind);
      return rows;
    } catch (error) {
      if (isDuplicateKey(error)) throw new SessionExists();
      const refusal = refusalOf(error);
      if (refusal !== undefined) this.#transitions.markRefused(statement.kind, refusal);
      else if (this.#watch.isUp) this.#watch.recheck();
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

function requireAddress(url: string | undefined): string {
  const { protocol, hostname } = url !== undefined && URL.canParse(url) ? new URL(url) : notAnAddress;
  if (url !== undefined && /^postgres(?:ql)?:$/.test(protocol) && hostname !== '') return url;
  // The message omits the given text: it may contain a password.
  const given = url === undefined || url === '' ? 'none' : 'something else';
  throw new Error(
    `the session store "postgres" needs an address such as postgresql://user@127.0.0.1:5432/db, but was given ${given}`,
  );
}

const notAnAddress = { protocol: '', hostname: '' };

export const postgres: StoreEntry = {
  insteadOfKeyPrefix: 'a schema of its own, url: "postgresql://…?options=-csearch_path%3Dshop"',
  capabilities: { compareAndSet: true, durability: 'disk', revocationLagMs: 0, dataBytesMax: 512 * 1024 },
  open: settings => new PostgresStore(requireAddress(settings.url), settings),
};

/** Maximum number of rows that one statement removes. It finishes well within its deadline. */
export const prunedAtOnce = 500;

interface PrunerOptions {
  /**
   * Mean time between two rounds. Each wait is 0.5 to 1.5 times as long, so that backends started together spread out.
   */
  readonly intervalMs: number;
  /** Removes up to `rowsMax` expired rows. Resolves with the number of removed rows. */
  prune(rowsMax: number): Promise<number>;
}

/** Removes expired rows periodically until it is closed. It runs in the background and may fail: every statement
 * ignores expired rows, pruned or not. */
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
      for (let removed = prunedAtOnce; removed >= prunedAtOnce && !this.#isClosed; ) {
        removed = await this.#options.prune(prunedAtOnce);
      }
    } catch {
      // The server is down. The next round finds the same rows.
    }
  }
}
