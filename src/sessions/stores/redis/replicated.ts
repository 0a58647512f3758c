import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { withTimeout } from '../../in-time.js';
import type { RedisConnection } from './connection.js';

/** The server must report the number of replicas this much earlier than its caller times out. */
const marginMs = 100;
/** The connection must wait this much longer than the deadline: a server checks its clock every 100 ms. */
export const slackMs = 200;

/** The write was carried out, but too few replicas acknowledged it. */
export class TooFewReplicas extends Error {
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
export class ReplicatedWrites implements RedisConnection {
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
