import type { Redis, RedisOptions } from 'ioredis';
import type { RedisAddress } from '../../../shared/redis-address.js';
import { scripts } from './scripts.js';

/** The servers behind one address, whatever their topology. Made by `connectionTo`. */
export interface RedisConnection {
  /**
   * Asks the server that serves `key`. Settles within the deadline: with what `question` says, or with the failure.
   * A question is never sent twice, but for one case: a node of a cluster that answers "not here" (MOVED, ASK) has not
   * carried it out, and the node that it names is asked once, within the same deadline.
   */
  at<Answer>(key: string, question: (server: Redis) => Promise<Answer>): Promise<Answer>;
  /** One server for each share of the keys, for what concerns all keys. Throws when a share has none. */
  servers(): readonly Redis[];
  /** Rejects unless every server that is needed serves now. */
  check(): Promise<void>;
  /** Ends every connection; whatever is asked from then on is rejected at once. */
  close(): void;
}

export interface ConnectionOptions {
  /** Of every question. Questions that a server answers late on purpose (BLOCK, WAIT) need a connection of their own. */
  readonly deadlineMs: number;
  /** The only key that will be asked for: then no other server is needed. */
  readonly key?: string | undefined;
  /** Every server that is needed answers. */
  readonly onUp?: (() => void) | undefined;
  /** One that is needed was lost, or is still away: told again with every try to get it back. */
  readonly onDown?: ((why: string) => void) | undefined;
}

const retryDelayMaxMs = 500;
const commands = Object.fromEntries(Object.entries(scripts).map(([name, lua]) => [name, { lua, numberOfKeys: 1 }]));

/** At once the first time: a connection given up because this process itself was stopped for a while is back at once. */
export const retryDelayMs = (times: number): number => Math.min((times - 1) * 50, retryDelayMaxMs);

/**
 * Every way of waiting ends at the deadline or at once:
 * not connected: refused at once (no offline queue); no reply: `commandTimeout`, and by `socketTimeout` the connection
 * is given up, so that a hung server gathers no backlog and no late reply can meet another question.
 * Nothing is sent again by itself: a compare-and-set whose first answer got lost would then conflict with itself, and
 * the edit would be applied twice. So commands in flight on a lost connection fail at once (`maxRetriesPerRequest: 0`).
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
    // After a failover the old primary answers so: only a new connection finds the new one.
    reconnectOnError: isReadOnly,
    disableClientInfo: true,
    scripts: commands,
  } satisfies RedisOptions;
}

export function loginIn({ username, password }: RedisAddress) {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

/** What is asked of a server within one turn of the event loop leaves in one write: for a busy backend the system call
 * is the dearest part of a question. */
export function gather({ stream }: Redis): void {
  if (stream === undefined || stream.writableCorked > 0) return;
  stream.cork();
  setImmediate(() => stream.uncork());
}

export function isReadOnly(error: Error): boolean {
  return hasCode(error, 'READONLY');
}

/** Anywhere in the text: up to Redis 6 a script's failure begins with a sentence of its own. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.includes(code);
}

export function reason(error: Error | undefined): string {
  if (error === undefined) return 'the connection was closed';
  // Node joins the failures of all addresses of a name into an error without a message, but with a code.
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}
