import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, DatabaseError, Pool, type PoolClient } from 'pg';
import type { Row, Value } from './record-row.js';
import { createTable, type Statement, table } from './statements.js';

const connectionsMax = 10;
/** Whoever ends the thousand sessions of a user asks a thousand times at once. */
const waitingMax = 2_000;
const idleMs = 60_000;
const goodbyeWithinMs = 100;

export interface ConnectionsOptions {
  readonly url: string;
  /** For one question with all that it waits for: a place, a connection, the answer. */
  readonly deadlineMs: number;
  /** A connection was lost that nobody was asking over. */
  readonly onLost: () => void;
}

/**
 * A bounded number of connections to one server. Each carries one question at a time; who finds none free waits, and
 * when too many wait the next is refused. A connection whose question failed, or was not answered in time, is cut and
 * never used again: a late answer could meet the next question. No question is sent twice.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #pool: Pool;
  readonly #sockets = new Set<Socket>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#pool = new Pool({ ...this.#settings(), max: connectionsMax, idleTimeoutMillis: idleMs });
    this.#pool.on('error', options.onLost);
    // Also while a question is in flight: it fails then, and whoever asked it is told.
    this.#pool.on('connect', client => client.on('error', () => undefined));
  }

  ask(statement: Statement, values: readonly Value[]): Promise<readonly Row[]> {
    if (this.#pool.waitingCount >= waitingMax) return Promise.reject(new Error(`${waitingMax} questions wait already`));
    return this.#inTime(async turn => {
      const client = await this.#pool.connect();
      turn.giveBack = once(cut => client.release(cut));
      if (!turn.isOver) return answer(client, statement, values, turn.giveBack);
      turn.giveBack(false);
      return [];
    });
  }

  /** Over a connection of its own, so that no crowd is taken for a dead server: whether it lets us in and has the table. */
  async probe(): Promise<void> {
    const client = new Client(this.#settings());
    client.on('error', () => undefined);
    try {
      await this.#inTime(async () => {
        await client.connect();
        const { rows } = await client.query<Row>('SELECT to_regclass($1) IS NOT NULL AS there', [table]);
        // Who may not create tables may still use one that somebody made.
        if (rows[0]?.there !== true) await client.query(createTable);
      });
    } finally {
      client.end().catch(() => undefined);
    }
  }

  /** Says goodbye where somebody listens, and cuts what is left. */
  async close(): Promise<void> {
    if (this.#pool.ending) return;
    await Promise.race([this.#pool.end(), delay(goodbyeWithinMs, undefined, { ref: false })]);
    for (const socket of this.#sockets) socket.destroy();
  }

  #settings() {
    const { url, deadlineMs } = this.#options;
    return {
      connectionString: url,
      connectionTimeoutMillis: deadlineMs,
      // What nobody waits for any more must not go on waiting for a lock either.
      statement_timeout: deadlineMs,
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

  async #inTime<T>(work: (turn: Turn) => Promise<T>): Promise<T> {
    const { deadlineMs } = this.#options;
    const turn: Turn = { isOver: false, giveBack: undefined };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const giveUp = () => {
        turn.isOver = true;
        turn.giveBack?.(true);
        reject(new Error(`no answer within ${deadlineMs} ms`));
      };
      // Once more round the loop: this process may have been the late one, and the answer lies in the socket.
      timer = setTimeout(() => setImmediate(giveUp), deadlineMs);
    });
    try {
      return await Promise.race([work(turn), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Gives a connection back to the others, or cuts it. */
type GiveBack = (cut: boolean) => void;

interface Turn {
  isOver: boolean;
  giveBack: GiveBack | undefined;
}

async function answer(client: PoolClient, { name, text }: Statement, values: readonly Value[], giveBack: GiveBack) {
  try {
    const { rows } = await client.query<Row>({ name, text, values: [...values] });
    giveBack(false);
    return rows;
  } catch (error) {
    giveBack(!isTaken(error));
    throw error;
  }
}

function once(giveBack: GiveBack): GiveBack {
  let isBack = false;
  return cut => {
    if (!isBack) giveBack(cut);
    isBack = true;
  };
}

/** The key is there already: the one error that is an answer like any other. */
export function isTaken(error: unknown): boolean {
  return codeOf(error) === '23505';
}

/** Shutting down or starting, or the table is not there: what a new look at the server settles. */
const lost = /^(?:08|57P0|42P01)/;
const late = '57014';

/** What a server says that understood the question, and will not. Undefined when it said nothing, or is on its way out. */
export function refusalOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code === undefined || code === late || lost.test(code) ? undefined : messageOf(error);
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node joins the failures of all addresses of a name into an error without a message, but with a code.
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}
