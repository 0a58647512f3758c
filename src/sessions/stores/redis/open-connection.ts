import type { RedisAddress } from '../../../redis-address.js';
import { Cluster } from './cluster.js';
import type { ConnectionOptions, RedisConnection } from './connection.js';
import { OneServer } from './one-server.js';
import { ReplicatedWrites, slackMs } from './replicated.js';

/** Connects, and comes back by itself, until it is closed. */
export function connectionTo(address: RedisAddress, options: ConnectionOptions): RedisConnection {
  return address.kind === 'cluster' ? new Cluster(address, options) : new OneServer(address, options);
}

/** For writes that are acknowledged only when as many replicas have them as the address asks for. */
export function replicatedConnectionTo(address: RedisAddress, options: ConnectionOptions): RedisConnection {
  const { deadlineMs } = options;
  if (address.replicas === 0) return connectionTo(address, options);
  const inner = connectionTo(address, { ...options, deadlineMs: deadlineMs + slackMs });
  return new ReplicatedWrites(inner, address.replicas, deadlineMs);
}
