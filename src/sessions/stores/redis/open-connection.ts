import { parseAddress, type RedisAddress } from './address.js';
import type { ConnectionOptions, RedisConnection } from './connection.js';
import { OneServer } from './one-server.js';

/** Connects, and comes back by itself, until it is closed. Throws for an address that cannot be used. */
export function openConnection(url: string | undefined, options: ConnectionOptions): RedisConnection {
  return connectionTo(parseAddress(url), options);
}

export function connectionTo(address: RedisAddress, options: ConnectionOptions): RedisConnection {
  if (address.kind === 'cluster') throw new Error('redis+cluster:// is not served yet');
  return new OneServer(address, options);
}
