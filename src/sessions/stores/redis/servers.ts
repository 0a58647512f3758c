import type { Redis } from 'ioredis';
import type { RedisAddress } from '../../../shared/redis-address.js';
import { StoreUnavailable } from '../../errors.js';
import { readyWithin } from '../../in-time.js';
import type { StoreSettings } from '../../session-store.js';
import { StoreTransitions } from '../../store-transitions.js';
import { RedisCluster } from './cluster.js';
import { type ConnectionOptions, hasCode, isReadOnly, type RedisConnection } from './connection.js';
import { OneServer } from './one-server.js';
import { ReplicatedWrites, slackMs, TooFewReplicas } from './replicated.js';

/** What a server can refuse by itself: one without memory takes no writes, and still removals; one without replicas
 * takes what need not be replicated. */
type Kind = 'reads' | Write | `replicated ${Write}`;
type Write = 'writes' | 'removals';

export type RedisQuestion<Answer> = (server: Redis) => Promise<Answer>;

/**
 * What the store asks: of the server of a key, over a connection that comes back by itself. What is behind it (one
 * server, a primary that Sentinel names, a cluster) is none of its concern. Whatever fails is `StoreUnavailable`.
 */
export class Servers {
  readonly #plain: RedisConnection;
  /** The same one where the address asks for no replicas. */
  readonly #replicated: RedisConnection;
  readonly #edges: StoreTransitions;
  #isClosed = false;

  constructor(address: RedisAddress, { deadlineMs, onTransition }: StoreSettings) {
    const edges = new StoreTransitions(onTransition);
    this.#edges = edges;
    this.#plain = connectionTo(address, {
      deadlineMs,
      onUp: () => edges.wentUp(),
      onDown: why => this.#isClosed || edges.wentDown(why),
    });
    this.#replicated = address.replicas === 0 ? this.#plain : replicatedConnectionTo(address, { deadlineMs });
  }

  /** A key of another type is `foreign` where that is given. */
  ask<Answer>(kind: 'reads' | Write, key: string, question: RedisQuestion<Answer>, foreign?: Answer): Promise<Answer> {
    return this.#settled(kind, () => this.#plain.at(key, question), foreign);
  }

  /** Waits for as many replicas as the address asks for. */
  askReplicated<Answer>(kind: Write, key: string, question: RedisQuestion<Answer>): Promise<Answer> {
    const isReplicated = this.#replicated !== this.#plain;
    return this.#settled(isReplicated ? `replicated ${kind}` : kind, () => this.#replicated.at(key, question));
  }

  /** Nobody waits for this, nor need it succeed. */
  tell(key: string, question: RedisQuestion<unknown>): void {
    this.#plain.at(key, question).catch(() => undefined);
  }

  /** For what concerns all keys: each server with its share of them, asked one after the other. */
  async each(
    work: (ask: <Answer>(question: RedisQuestion<Answer>) => Promise<Answer>) => Promise<void>,
  ): Promise<void> {
    const servers = await this.#settled('reads', async () => this.#plain.servers());
    await Promise.all(servers.map(server => work(question => this.#settled('reads', () => question(server)))));
  }

  /** Asks rather than trusts the client's status, which calls a connection ready that was lost this very moment. */
  ready(waitMs: number): Promise<boolean> {
    const serves = () => Promise.all([this.#plain.check(), this.#replicated.check()]).then(() => true);
    return readyWithin(waitMs, { serves, isOver: () => this.#isClosed });
  }

  close(): void {
    this.#isClosed = true;
    this.#plain.close();
    this.#replicated.close();
  }

  async #settled<Answer>(kind: Kind, question: () => Promise<Answer>, foreign?: Answer): Promise<Answer> {
    try {
      const answer = await question();
      this.#edges.served(kind);
      return answer;
    } catch (error) {
      if (foreign !== undefined && hasCode(error, 'WRONGTYPE')) return foreign;
      if (isRefusal(error)) this.#edges.refused(kind, error.message);
      throw new StoreUnavailable('the session store does not answer', { cause: error });
    }
  }
}

/** A server that answers and says no (no memory left, cannot save, no right to) loses no connection. These two codes
 * mean that a server was lost, which its connection tells. */
function isRefusal(error: unknown): error is Error {
  if (!(error instanceof Error) || isReadOnly(error) || hasCode(error, 'CLUSTERDOWN')) return false;
  return error.name === 'ReplyError' || error instanceof TooFewReplicas;
}

/** Connects, and comes back by itself, until it is closed. */
export function connectionTo(address: RedisAddress, options: ConnectionOptions): RedisConnection {
  return address.kind === 'cluster' ? new RedisCluster(address, options) : new OneServer(address, options);
}

/** For writes that are acknowledged only when as many replicas have them as the address asks for. */
export function replicatedConnectionTo(address: RedisAddress, options: ConnectionOptions): RedisConnection {
  const { deadlineMs } = options;
  if (address.replicas === 0) return connectionTo(address, options);
  const inner = connectionTo(address, { ...options, deadlineMs: deadlineMs + slackMs });
  return new ReplicatedWrites(inner, address.replicas, deadlineMs);
}
