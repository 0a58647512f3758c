import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, DatabaseError, Pool, type PoolClient } from 'pg';
import type { StoreTransitions } from '../../session-store.js';
import { createTable, epochTable, type Row, type Statement, table, type Value } from './statements.js';

const connectionsMax = 10;
/** Maximum number of waiting queries. Ending the thousand sessions of a user sends a thousand queries at once. */
const waitingMax = 2_000;
const idleMs = 60_000;
const closeWithinMs = 100;

interface ConnectionsOptions {
  readonly url: string;
  /** Deadline for one query with all its waits: for a free connection, for connecting, and for the answer. */
  readonly deadlineMs: number;
  /** Called when an idle connection was lost. */
  readonly onLost: () => void;
}

/**
 * A pool with a maximum number of connections to one server. Each connection runs one query at a time. A query waits if
 * none is free; if too many wait already, it is rejected.
 *
 * A connection is closed if its query failed or timed out, because a late answer could match the next query. No query
 * is sent twice.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #pool: Pool;
  readonly #sockets = new Set<Socket>();
  /** True behind a pooler such as PgBouncer. There, the next query may run on another connection of the server. */
  #isPooled = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#pool = new Pool({ ...this.#settings(), max: connectionsMax, idleTimeoutMillis: idleMs });
    this.#pool.on('error', options.onLost);
    // Ignores errors during a query: the query itself rejects then.
    this.#pool.on('connect', client => {
      client.on('error', () => undefined);
      // Otherwise a query that timed out here would still wait for a lock in the server. A pooler is not sent the
      // setting: it would apply it to other clients too, and it refuses it as a startup parameter.
      if (!this.#isPooled) client.query(`SET statement_timeout = ${options.deadlineMs}`).catch(() => undefined);
    });
  }

  ask(statement: Statement, values: readonly Value[]): Promise<readonly Row[]> {
    if (this.#pool.waitingCount >= waitingMax) return Promise.reject(new Error(`${waitingMax} questions wait already`));
    return this.#inTime(async pending => {
      const client = await this.#pool.connect();
      pending.release = releaseOnce(cut => client.release(cut));
      if (!pending.isOver) return runQuery(client, { statement, values, isNamed: !this.#isPooled }, pending.release);
      pending.release(false);
      return [];
    });
  }

  /** Checks that the server accepts a connection and has the table. Uses a connection of its own, so that a full pool
   * does not look like a dead server. */
  async probe(): Promise<void> {
    const client = new Client(this.#settings());
    client.on('error', () => undefined);
    try {
      await this.#inTime(async () => {
        await client.connect();
        const {
          rows: [found],
        } = await client.query<Row>(
          `SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL AS there, pg_backend_pid() AS pid`,
          [table, epochTable],
        );
        // A pooler gives its clients another process id than the server has.
        this.#isPooled = !('processID' in client && client.processID === found?.pid);
        // A role without the right to create tables may still use an existing one.
        if (found?.there !== true) await client.query(createTable);
      });
    } finally {
      client.end().catch(() => undefined);
    }
  }

  /** Closes idle connections properly and destroys the remaining sockets. */
  async close(): Promise<void> {
    if (this.#pool.ending) return;
    await Promise.race([this.#pool.end(), delay(closeWithinMs, undefined, { ref: false })]);
    for (const socket of this.#sockets) socket.destroy();
  }

  #settings() {
    const { url, deadlineMs } = this.#options;
    return {
      connectionString: url,
      connectionTimeoutMillis: deadlineMs,
      keepAlive: true,
      fallback_application_name: 'holdfast',
      stream: () => this.#socket(),
    };
  }

  #socket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    return socket.once('close', () => this.#sockets.delete(socket));
  }

  async #inTime<T>(work: (pending: PendingQuery) => Promise<T>): Promise<T> {
    const { deadlineMs } = this.#options;
    const pending: PendingQuery = { isOver: false, release: undefined };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const giveUp = () => {
        pending.isOver = true;
        pending.release?.(true);
        reject(new Error(`no answer within ${deadlineMs} ms`));
      };
      // Waits one more turn of the event loop. This process may be the late one, with the answer waiting in the socket.
      timer = setTimeout(() => setImmediate(giveUp), deadlineMs);
    });
    try {
      return await Promise.race([work(pending), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Releases a connection to the pool, or closes it. */
type Release = (cut: boolean) => void;

interface PendingQuery {
  isOver: boolean;
  release: Release | undefined;
}

interface Query {
  readonly statement: Statement;
  readonly values: readonly Value[];
  /** True if the connection may keep the prepared statement. */
  readonly isNamed: boolean;
}

async function runQuery(client: PoolClient, { statement, values, isNamed }: Query, release: Release) {
  const { name, text } = statement;
  try {
    const { rows } = await client.query<Row>({ ...(isNamed ? { name } : {}), text, values: [...values] });
    release(false);
    return rows;
  } catch (error) {
    release(!isDuplicateKey(error));
    throw error;
  }
}

function releaseOnce(release: Release): Release {
  let isBack = false;
  return cut => {
    if (!isBack) release(cut);
    isBack = true;
  };
}

/** True if the key exists already. Only this error is a normal answer. */
export function isDuplicateKey(error: unknown): boolean {
  return codeOf(error) === '23505';
}

/** Codes of a server that shuts down or starts, or has no table. The next probe decides then. */
const unavailableCodes = /^(?:08|57P0|42P01)/;
const late = '57014';

/** Returns the message of a server that understood the query and refuses it. Undefined if the server gave no answer, or
 * is shutting down. */
export function refusalOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code === undefined || code === late || unavailableCodes.test(code) ? undefined : messageOf(error);
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node.js joins the failures of all addresses of a name into one error. It has no message, but a code.
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

const retryStepMs = 50;
const retryDelayMaxMs = 500;

/**
 * Tracks whether the server can serve. A failed call proves little: it may have waited for a lock or for a free
 * connection. So a failure only starts a probe of the server, and the result of the probe counts for all calls. A
 * server that is down is probed repeatedly.
 */
export class Watch {
  readonly #probe: () => Promise<void>;
  readonly #transitions: StoreTransitions;
  #state: 'starting' | 'up' | 'down' | 'closed' = 'starting';
  #asking: Promise<boolean> | undefined;
  #isProbing = false;
  #needsProbe = false;

  /** `probe` rejects if the server cannot serve. It settles within a bounded time. */
  constructor(probe: () => Promise<void>, transitions: StoreTransitions) {
    this.#probe = probe;
    this.#transitions = transitions;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  recheck(): void {
    this.#needsProbe = true;
    if (!this.#isProbing) void this.#probeUntilUp();
  }

  /** Probes the server now. Concurrent calls share one probe. */
  ask(): Promise<boolean> {
    this.#asking ??= this.#probeOnce().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  close(): void {
    this.#state = 'closed';
  }

  /** Probes the server until it serves. The first attempt is immediate: a server that was restarted is usually
   * available. */
  async #probeUntilUp(): Promise<void> {
    this.#isProbing = true;
    for (let tries = 0; this.#needsProbe && !this.isClosed; tries++) {
      if (tries > 0) await delay(Math.min(tries * retryStepMs, retryDelayMaxMs), undefined, { ref: false });
      this.#needsProbe = false;
      if (!(await this.ask())) this.#needsProbe = true;
    }
    this.#isProbing = false;
  }

  async #probeOnce(): Promise<boolean> {
    const why = await this.#probe().then(() => undefined, messageOf);
    if (this.isClosed) return false;
    const [before, now] = [this.#state, why === undefined ? 'up' : 'down'] as const;
    this.#state = now;
    if (why !== undefined) this.#transitions.markDown(why);
    // Only after an outage: a server that was up all the time may still refuse what it refused before.
    else if (before !== 'up') this.#transitions.markUp();
    return now === 'up';
  }
}
