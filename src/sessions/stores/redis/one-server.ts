import type { Redis } from 'ioredis';
import type { RedisAddress } from '../../../shared/redis-address.js';
import {
  batchWrites,
  type ConnectionOptions,
  isReadOnly,
  loginOf,
  newClient,
  type RedisConnection,
  reasonOf,
  retryDelayMs,
  serverOptions,
  tlsOf,
} from './connection.js';

/** One connection to one server that has every key: a single server, or the primary that the sentinels name. */
export class OneServer implements RedisConnection {
  readonly #server: Redis;
  readonly #options: ConnectionOptions;
  #isClosed = false;
  #lastError: Error | undefined;

  constructor(address: RedisAddress, options: ConnectionOptions) {
    this.#options = options;
    this.#server = newClient({
      ...serverOptions(options.deadlineMs),
      ...addressOptions(address, options.deadlineMs),
      reconnectOnError: error => this.#isDemoted(error),
    });
    this.#server.on('error', error => this.#recordFailure(error));
    this.#server.on('ready', () => {
      this.#lastError = undefined;
      options.onUp?.();
    });
    this.#server.on('close', () => options.onDown?.(reasonOf(this.#lastError)));
    this.#server.on('end', () => this.#reconnect());
  }

  at<Answer>(_key: string, question: (server: Redis) => Promise<Answer>): Promise<Answer> {
    batchWrites(this.#server);
    return question(this.#server);
  }

  findNear(_key: string, [first = '']: readonly string[]): string {
    return first;
  }

  async check(): Promise<void> {
    await this.#server.ping();
  }

  close(): void {
    this.#isClosed = true;
    this.#server.disconnect();
  }

  /** True for the reply of a primary that was demoted. Then the client connects anew. */
  #isDemoted(error: Error): boolean {
    if (!isReadOnly(error)) return false;
    this.#lastError = error;
    return true;
  }

  /** Reports a failure. While no sentinel answers, there is no connection to close, so this is the only report. */
  #recordFailure(error: Error): void {
    this.#lastError = error;
    if (this.#server.status === 'connecting') this.#options.onDown?.(reasonOf(error));
  }

  /** Reconnects after the client ended itself. It does so when it is disconnected while it asks the sentinels. Only
   * `close` may end it. */
  #reconnect(): void {
    if (this.#isClosed) return;
    setTimeout(() => this.#isClosed || this.#server.connect().catch(() => undefined), retryDelayMs(2));
  }
}

/**
 * Returns the address options. The client asks the sentinels at each new connection, never in between. A primary that
 * dies, hangs or is demoted loses its connections anyway: its sentinels close those of a demoted one.
 *
 * A primary that is cut off from its sentinels, but not from us, acknowledges writes that will be lost. `replicas`
 * prevents that.
 */
function addressOptions(address: RedisAddress, deadlineMs: number) {
  const { places, database: db } = address;
  const login = loginOf(address);
  const security = tlsOf(address);
  const [{ host, port }] = places;
  if (address.kind === 'single') return { host, port, db, ...login, ...security };
  return {
    ...login,
    ...security,
    ...(security.tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: security.tls }),
    ...(address.sentinelLogin ? sentinelLoginOf(address) : {}),
    db,
    name: address.primary,
    sentinels: [...places],
    sentinelCommandTimeout: deadlineMs,
    sentinelRetryStrategy: retryDelayMs,
  };
}

function sentinelLoginOf({ username, password }: RedisAddress) {
  return {
    ...(username === undefined ? {} : { sentinelUsername: username }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
  };
}
