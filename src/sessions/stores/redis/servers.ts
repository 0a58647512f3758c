import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { RedisAddress } from '../../../shared/redis-address.js';
import { StoreUnavailable } from '../../errors.js';
import { pollUntilReady, type StoreSettings, StoreTransitions, withTimeout } from '../../session-store.js';
import { RedisCluster } from './cluster.js';
import { type ConnectionOptions, hasCode, isReadOnly, OneServer, type RedisConnection } from './connection.js';

/** The kinds of command that a server can refuse separately. A server that is out of memory refuses writes and accepts
 * removals. A server without replicas accepts commands that need no replication. */
type Kind = 'reads' | Write | `replicated ${Write}`;
type Write = 'writes' | 'removals';

/** A key of any server: all servers of a cluster should have the same settings. */
const anyKey = 'holdfast:everyone:0';

export type RedisCommand<Answer> = (server: Redis) => Promise<Answer>;

/** Sends the commands of the store to the server of a key, and reconnects by itself. The store does not see the
 * topology: one server, a primary behind Sentinel, or a cluster. Every failure becomes `StoreUnavailable`. */
export class Servers {
  readonly #plain: RedisConnection;
  /** The same connection, if the address asks for no replicas. */
  readonly #replicated: RedisConnection;
  readonly #transitions: StoreTransitions;
  readonly isCluster: boolean;
  readonly isReplicated: boolean;
  #isClosed = false;
  #isWarned = false;

  constructor(address: RedisAddress, { deadlineMs, onTransition, onWarning }: StoreSettings) {
    const transitions = new StoreTransitions(onTransition);
    this.#transitions = transitions;
    this.isCluster = address.kind === 'cluster';
    this.isReplicated = address.replicas > 0;
    this.#plain = connectionTo(address, {
      deadlineMs,
      onUp: () => {
        transitions.markUp();
        void this.#warnOfEviction(onWarning);
      },
      onDown: why => this.#isClosed || transitions.markDown(why),
    });
    this.#replicated = address.replicas === 0 ? this.#plain : replicatedConnectionTo(address, { deadlineMs });
  }

  /** Sends a command. If `foreign` is given, it is the result for a key of another type. */
  ask<Answer>(kind: 'reads' | Write, key: string, question: RedisCommand<Answer>, foreign?: Answer): Promise<Answer> {
    return this.#run(kind, () => this.#plain.at(key, question), foreign);
  }

  /** Sends a write and waits for the replicas that the address asks for. */
  askReplicated<Answer>(kind: Write, key: string, question: RedisCommand<Answer>): Promise<Answer> {
    return this.#run(this.isReplicated ? `replicated ${kind}` : kind, () => this.#replicated.at(key, question));
  }

  /** Sends a command in the background. It may fail. */
  sendInBackground(key: string, question: RedisCommand<unknown>): void {
    this.#plain.at(key, question).catch(() => undefined);
  }

  /** Returns the first of the keys that is at the server of `key`. If none is, returns the first. */
  findNear(key: string, keys: readonly string[]): string {
    return this.#plain.findNear(key, keys);
  }

  /** Sends a command to each server. The client's status is not enough: it may call a connection ready that was just
   * lost. */
  ready(waitMs: number): Promise<boolean> {
    const serves = () => Promise.all([this.#plain.check(), this.#replicated.check()]).then(() => true);
    return pollUntilReady(waitMs, { serves, isOver: () => this.#isClosed });
  }

  close(): void {
    this.#isClosed = true;
    this.#plain.close();
    this.#replicated.close();
  }

  /** Warns once if the server may evict sessions. A server that does not tell its settings is not warned of. */
  async #warnOfEviction(onWarning: StoreSettings['onWarning']): Promise<void> {
    if (this.#isWarned || onWarning === undefined) return;
    const info = await this.#plain.at(anyKey, server => server.info('memory')).catch(() => '');
    const [, policy = 'noeviction'] = /^maxmemory_policy:([\w-]+)/m.exec(info) ?? [];
    if (this.#isWarned || policy === 'noeviction' || /^maxmemory:0\s/m.test(info)) return;
    this.#isWarned = true;
    onWarning(
      `Redis has the maxmemory-policy ${policy}, so it may evict sessions and the list of ended ones: users are logged ` +
        'out, and in modes jwt and sealed a backend that boots then may accept an ended session. ' +
        'Set maxmemory-policy noeviction: then a full server refuses logins.',
    );
  }

  async #run<Answer>(kind: Kind, question: () => Promise<Answer>, foreign?: Answer): Promise<Answer> {
    try {
      const answer = await question();
      this.#transitions.markServed(kind);
      return answer;
    } catch (error) {
      if (foreign !== undefined && hasCode(error, 'WRONGTYPE')) return foreign;
      if (isRefusal(error)) this.#transitions.markRefused(kind, error.message);
      // The client of Redis only says that it has no connection.
      const why = this.#transitions.lostBecause;
      const cause = why === undefined ? error : new Error(why, { cause: error });
      throw new StoreUnavailable('the session store does not answer', { cause });
    }
  }
}

/** True if the server answered with a refusal (out of memory, cannot save, no permission). The connection stays up
 * then. READONLY and CLUSTERDOWN mean a lost server, which the connection reports. */
function isRefusal(error: unknown): error is Error {
  if (!(error instanceof Error) || isReadOnly(error) || hasCode(error, 'CLUSTERDOWN')) return false;
  return error.name === 'ReplyError' || error instanceof TooFewReplicas;
}

/** Connects, and reconnects by itself until it is closed. */
export function connectionTo(address: RedisAddress, options: ConnectionOptions): RedisConnection {
  return address.kind === 'cluster' ? new RedisCluster(address, options) : new OneServer(address, options);
}

/** Connects for writes that are acknowledged only when as many replicas have them as the address asks for. */
export function replicatedConnectionTo(address: RedisAddress, options: ConnectionOptions): RedisConnection {
  const { deadlineMs } = options;
  if (address.replicas === 0) return connectionTo(address, options);
  const inner = connectionTo(address, { ...options, deadlineMs: deadlineMs + slackMs });
  return new ReplicatedWrites(inner, address.replicas, deadlineMs);
}

/** The server must report the number of replicas this much earlier than its caller times out. */
const marginMs = 100;
/** The connection must wait this much longer than the deadline: a server checks its clock every 100 ms. */
const slackMs = 200;

/** The write was carried out, but too few replicas acknowledged it. */
class TooFewReplicas extends Error {
  override readonly name = 'TooFewReplicas';

  constructor(count: number, wanted: number, waitedMs: number) {
    super(`${count} of the ${wanted} replicas that were asked for acknowledged it within ${waitedMs} ms`);
  }
}

/**
 * Writes that succeed only when enough replicas have them. Each write is followed by WAIT, and the reply of WAIT is
 * checked.
 *
 * WAIT needs a connection of its own, because it blocks all other commands on it. It covers only the writes of its own
 * connection. On another connection (to another primary, after a failover) it would count replicas that do not have the
 * writes.
 *
 * A write that fails here may have been carried out, as after a lost reply.
 */
class ReplicatedWrites implements RedisConnection {
  readonly #inner: RedisConnection;
  readonly #replicas: number;
  readonly #deadlineMs: number;
  readonly #waits = new WeakMap<object, Promise<number>>();

  /** `inner` must wait for replies `slackMs` longer than `deadlineMs`. */
  constructor(inner: RedisConnection, replicas: number, deadlineMs: number) {
    this.#inner = inner;
    this.#replicas = replicas;
    this.#deadlineMs = deadlineMs;
  }

  at<Answer>(key: string, question: (server: Redis) => Promise<Answer>): Promise<Answer> {
    const late = () => new Error(`neither the server nor its replicas answered within ${this.#deadlineMs} ms`);
    return withTimeout(
      this.#deadlineMs,
      this.#inner.at(key, server => this.#writeReplicated(server, question)),
      late,
    );
  }

  findNear(key: string, keys: readonly string[]): string {
    return this.#inner.findNear(key, keys);
  }

  check(): Promise<void> {
    return this.#inner.check();
  }

  close(): void {
    this.#inner.close();
  }

  /** Sends the command and then WAIT. It waits for the reply in between: an unknown script is sent again, and that must
   * not come after its WAIT. */
  async #writeReplicated<Answer>(server: Redis, question: (server: Redis) => Promise<Answer>): Promise<Answer> {
    const { stream } = server;
    const answer = await question(server);
    const count = await this.#count(server, stream);
    if (count < this.#replicas) throw new TooFewReplicas(count, this.#replicas, this.#waitMs);
    return answer;
  }

  /** Sends one WAIT for all writes that were answered in one turn of the event loop. Otherwise each would wait for the
   * WAITs of the others. */
  #count(server: Redis, stream: Redis['stream']): Promise<number> {
    const count = this.#waits.get(stream) ?? this.#wait(server, stream);
    this.#waits.set(stream, count);
    return count;
  }

  async #wait(server: Redis, stream: Redis['stream']): Promise<number> {
    await nextTurn();
    this.#waits.delete(stream);
    if (server.stream !== stream) throw new Error('the connection was lost before replicas could be counted');
    return server.wait(this.#replicas, this.#waitMs);
  }

  get #waitMs(): number {
    return Math.max(1, this.#deadlineMs - marginMs);
  }
}
