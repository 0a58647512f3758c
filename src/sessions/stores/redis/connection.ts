import { readFileSync } from 'node:fs';
import { Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from '../../../shared/redis-address.js';
import { scripts } from './scripts.js';

/** The servers behind one address, in any topology. `connectionTo` makes it. */
export interface RedisConnection {
  /**
   * Sends commands to the server of `key`. Settles within the deadline with the result of `question`, or with the
   * failure. A command is never sent twice, with one exception. A cluster node that answers "not here" (MOVED, ASK) has
   * not run it. Then the named node gets it once, within the same deadline.
   */
  at<Answer>(key: string, question: (server: Redis) => Promise<Answer>): Promise<Answer>;
  /** Returns the first of the keys that is at the server of `key`. If none is, returns the first. */
  findNear(key: string, keys: readonly string[]): string;
  /** Rejects unless every needed server can serve now. */
  check(): Promise<void>;
  /** Closes every connection. Later commands reject at once. */
  close(): void;
}

export interface ConnectionOptions {
  /** Deadline of each command. Commands with a late answer by design (BLOCK, WAIT) need a connection of their own. */
  readonly deadlineMs: number;
  /** The only key that will be used. Absent: any key, so every server is needed. */
  readonly key?: string | undefined;
  /** Called when every needed server answers. */
  readonly onUp?: (() => void) | undefined;
  /** Called when a needed server is lost, and again after each failed attempt to reconnect. */
  readonly onDown?: ((why: string) => void) | undefined;
}

const retryDelayMaxMs = 500;
const commands = Object.fromEntries(Object.entries(scripts).map(([name, lua]) => [name, { lua, numberOfKeys: 1 }]));

/** Returns the delay before a reconnect. The first one is immediate: after a pause of this process itself, the server
 * is usually available. */
export const retryDelayMs = (times: number): number => Math.min((times - 1) * 50, retryDelayMaxMs);

/**
 * Returns the options of a connection to one server. Every wait ends at the deadline or at once.
 *
 * Not connected: commands reject at once (no offline queue). No reply: `commandTimeout` rejects the command, and
 * `socketTimeout` drops the connection. So a hung server builds up no backlog, and a late reply cannot match another
 * command.
 *
 * Commands are never resent. A compare-and-set whose first reply was lost would conflict with itself, and the edit
 * would be applied twice. So commands in flight on a lost connection fail at once (`maxRetriesPerRequest: 0`).
 */
export function serverOptions(deadlineMs: number) {
  return {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: deadlineMs,
    socketTimeout: deadlineMs,
    connectTimeout: deadlineMs,
    disconnectTimeout: 100,
    maxLoadingRetryTime: retryDelayMaxMs,
    retryStrategy: retryDelayMs,
    // After a failover, the old primary replies READONLY. Only a new connection reaches the new primary.
    reconnectOnError: isReadOnly,
    disableClientInfo: true,
    scripts: commands,
  } satisfies RedisOptions;
}

/**
 * Returns a client of one server.
 *
 * When a TLS handshake fails because the server is not trusted, the stream reports two errors: first the certificate,
 * then the alert from the server. The client listens only to the first. Without a listener, the second would end the
 * process.
 */
export function newClient(options: RedisOptions & { replyMapping?: 'legacy' }): Redis {
  const client = new Redis(options);
  client.on('error', () => client.stream?.on('error', () => undefined));
  return client;
}

export function loginOf({ username, password }: RedisAddress) {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

/** Returns the options for TLS. Throws for a file of authorities that cannot be read. */
export function tlsOf({ tls, ca }: RedisAddress): { readonly tls?: { readonly ca?: string } } {
  if (!tls) return {};
  return { tls: ca === undefined ? {} : { ca: readAuthorities(ca) } };
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`the file of authorities "${file}" cannot be read: expected certificates in PEM, as ca=<file>`, {
      cause,
    });
  }
}

/** Batches the writes of one turn of the event loop into one system call. On a busy backend, the system call is the
 * most expensive part of a command. */
export function batchWrites({ stream }: Redis): void {
  if (stream === undefined || stream.writableCorked > 0) return;
  stream.cork();
  setImmediate(() => stream.uncork());
}

export function isReadOnly(error: Error): boolean {
  return hasCode(error, 'READONLY');
}

/** Searches the whole text: up to Redis 6, the error of a script begins with another sentence. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.includes(code);
}

export function reasonOf(error: Error | undefined): string {
  if (error === undefined) return 'the connection was closed';
  // Node.js joins the failures of all addresses of a name into one error. It has no message, but a code.
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}

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

  /** True for the reply of a primary that was demoted. The client then reconnects. */
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
