import { Redis } from 'ioredis';
import type { RedisAddress } from '../../../shared/redis-address.js';
import {
  type ConnectionOptions,
  gather,
  isReadOnly,
  loginIn,
  type RedisConnection,
  reason,
  retryDelayMs,
  serverOptions,
} from './connection.js';

/** One connection to one server, which serves every key: a single one, or whichever the sentinels call the primary. */
export class OneServer implements RedisConnection {
  readonly #server: Redis;
  readonly #options: ConnectionOptions;
  #isClosed = false;
  #lastError: Error | undefined;

  constructor(address: RedisAddress, options: ConnectionOptions) {
    this.#options = options;
    this.#server = new Redis({ ...serverOptions(options.deadlineMs), ...placeOptions(address, options.deadlineMs) });
    this.#server.on('error', error => this.#failed(error));
    this.#server.on('ready', () => {
      this.#lastError = undefined;
      options.onUp?.();
    });
    this.#server.on('close', () => options.onDown?.(reason(this.#lastError)));
    this.#server.on('end', () => this.#startAgain());
  }

  async at<Answer>(_key: string, question: (server: Redis) => Promise<Answer>): Promise<Answer> {
    gather(this.#server);
    try {
      return await question(this.#server);
    } catch (error) {
      if (error instanceof Error && isReadOnly(error)) this.#lastError = error;
      throw error;
    }
  }

  servers(): readonly Redis[] {
    return [this.#server];
  }

  async check(): Promise<void> {
    await this.#server.ping();
  }

  close(): void {
    this.#isClosed = true;
    this.#server.disconnect();
  }

  /** While no sentinel answers there is no connection that could be closed: then this is all that is ever told. */
  #failed(error: Error): void {
    this.#lastError = error;
    if (this.#server.status === 'connecting') this.#options.onDown?.(reason(error));
  }

  /** The client ends itself for good when it is told to disconnect while it asks the sentinels. Only `close` may end it. */
  #startAgain(): void {
    if (this.#isClosed) return;
    setTimeout(() => this.#isClosed || this.#server.connect().catch(() => undefined), retryDelayMs(2));
  }
}

/**
 * The sentinels are asked with every new connection, never in between: a primary that dies, hangs or is demoted (its
 * sentinels then cut its clients off) loses the connection anyway. A primary that is cut off from its sentinels and not
 * from us goes on acknowledging what will be lost; `replicas` is against that.
 */
function placeOptions(address: RedisAddress, deadlineMs: number) {
  const { places, database: db, tls } = address;
  const login = loginIn(address);
  const [{ host, port }] = places;
  if (address.kind === 'single') return { host, port, db, ...login, ...(tls ? { tls: {} } : {}) };
  return {
    ...login,
    db,
    name: address.primary,
    sentinels: [...places],
    sentinelCommandTimeout: deadlineMs,
    sentinelRetryStrategy: retryDelayMs,
  };
}
