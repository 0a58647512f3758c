import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { withinMs } from '../../in-time.js';
import type { RedisConnection } from './connection.js';

/** So much sooner than its caller gives up the server has to say how many replicas there are. */
const marginMs = 100;
/** So much longer than the deadline the connection itself must wait: a server looks at its clock every 100 ms. */
export const slackMs = 200;

/** The write was carried out, and too few replicas are known to have it. */
export class TooFewReplicas extends Error {
  constructor(count: number, wanted: number, waitedMs: number) {
    super(`${count} of the ${wanted} replicas that were asked for acknowledged it within ${waitedMs} ms`);
    this.name = new.target.name;
  }
}

/**
 * Writes that succeed only when so many replicas have them: each is followed by WAIT, and what WAIT answers is counted.
 * On a connection of its own, since WAIT lets nothing else pass on it. It speaks of the writes of its connection only:
 * asked over another one (to another primary, after a failover) it would count replicas that know nothing of them.
 *
 * A write that fails here may have been carried out all the same, as one whose answer got lost.
 */
export class ReplicatedWrites implements RedisConnection {
  readonly #inner: RedisConnection;
  readonly #replicas: number;
  readonly #deadlineMs: number;
  readonly #waits = new WeakMap<object, Promise<number>>();

  /** `inner` must wait for answers by `slackMs` longer than `deadlineMs`. */
  constructor(inner: RedisConnection, replicas: number, deadlineMs: number) {
    this.#inner = inner;
    this.#replicas = replicas;
    this.#deadlineMs = deadlineMs;
  }

  at<Answer>(key: string, question: (server: Redis) => Promise<Answer>): Promise<Answer> {
    const late = () => new Error(`neither the server nor its replicas answered within ${this.#deadlineMs} ms`);
    return withinMs(
      this.#deadlineMs,
      this.#inner.at(key, server => this.#replicated(server, question)),
      late,
    );
  }

  servers(): readonly Redis[] {
    return this.#inner.servers();
  }

  check(): Promise<void> {
    return this.#inner.check();
  }

  close(): void {
    this.#inner.close();
  }

  /** One after the other: a script that the server did not know is sent again, and must not come after its WAIT. */
  async #replicated<Answer>(server: Redis, question: (server: Redis) => Promise<Answer>): Promise<Answer> {
    const { stream } = server;
    const answer = await question(server);
    const count = await this.#count(server, stream);
    if (count < this.#replicas) throw new TooFewReplicas(count, this.#replicas, this.#waitMs);
    return answer;
  }

  /** One WAIT for all writes that were answered within one turn of the event loop, or each would wait for the others'. */
  #count(server: Redis, stream: Redis['stream']): Promise<number> {
    const count = this.#waits.get(stream) ?? this.#wait(server, stream);
    this.#waits.set(stream, count);
    return count;
  }

  async #wait(server: Redis, stream: Redis['stream']): Promise<number> {
    await turn();
    this.#waits.delete(stream);
    if (server.stream !== stream) throw new Error('the connection was lost before replicas could be counted');
    return server.wait(this.#replicas, this.#waitMs);
  }

  get #waitMs(): number {
    return Math.max(1, this.#deadlineMs - marginMs);
  }
}
