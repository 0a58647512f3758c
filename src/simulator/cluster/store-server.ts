import type { ProcessSpec } from './processes/process-member.js';
import type { RunProgram } from './processes/run-program.js';

/** A store server that the lab can start, with one member or several. Implementations: `stores/registry.ts`. */
export interface StoreServer {
  shape(spec: StoresSpec): StoreShape;
  /** Prepares the files of its members and returns how to run them. Rejects with `LabError` if a program is missing. */
  prepare(place: StorePlace): Promise<PreparedStore>;
}

export interface StoreShape {
  /** The names of its members. The name of the server alone means the first. */
  readonly members: readonly [string, ...string[]];
  /** The names that backends connect to, and at which links from backends can end. Empty when a backend learns the
   * address at run time. */
  readonly addresses: readonly string[];
  /** Pairs of a primary and its replica. A link between them is possible; the replica is the one that connects. */
  readonly replications: readonly (readonly [from: string, to: string])[];
  /** True when its address can move: the backends then need links that can be retargeted. */
  readonly moves: boolean;
}

export interface StorePlace {
  readonly spec: StoresSpec;
  readonly portOf: (member: string) => number;
  /** Returns the port at which the replica `to` reaches the primary `from`: its port, or that of their link. */
  readonly feedPort: (from: string, to: string) => number;
  /** Creates a directory for the files of one member. The end of the lab removes it. */
  readonly directoryOf: (member: string) => Promise<string>;
  /** Runs a program that must end before a server can start. */
  readonly run: RunProgram;
}

export interface PreparedStore {
  /** Start order: all processes of a step start at once, as soon as all those of the earlier steps answer. */
  readonly steps: readonly (readonly ProcessSpec[])[];
  /** Returns whether its members have found each other. */
  readonly isWhole?: () => Promise<boolean>;
  /** Returns the URL for a backend that reaches each address and member at the port that `portOf` returns. */
  readonly url: (portOf: (name: string) => number) => string;
  /** Versions by program, for example `{ redis: '7.0.15' }`. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Builds the shape of a server with a single member. */
export function buildSingleShape(name: string): StoreShape {
  return { members: [name], addresses: [name], replications: [], moves: false };
}

/** Settings of the store servers of a lab: number of members, persistence and memory. */
export interface StoresSpec {
  readonly redis: RedisSpec;
  readonly memcached: MemcachedSpec;
  readonly postgres: PostgresSpec;
}

export interface RedisSpec {
  readonly replicas: number;
  /** Above 0, the backends ask the sentinels for the primary. With 0, their links are retargeted when it moves. */
  readonly sentinels: number;
  /** `aof`: append-only file with an fsync each second. `rdb`: snapshots at the default times of Redis. */
  readonly persistence: 'none' | 'aof' | 'rdb';
  /** The memory limit in MB. Undefined: no limit. */
  readonly memoryMb: number | undefined;
  readonly eviction: 'noeviction' | 'allkeys-lru';
}

interface MemcachedSpec {
  /** Number of nodes. Each key is kept by one of them. */
  readonly nodes: number;
  /** The memory limit of each node in MB. Undefined: the default of memcached, 64. */
  readonly memoryMb: number | undefined;
}

interface PostgresSpec {
  /** `asynchronous`: an acknowledged transaction can take a second to reach the disk. */
  readonly commit: 'synchronous' | 'asynchronous';
}

/** Default settings: one member each and the defaults of the servers, except that Redis keeps nothing on disk. */
export const plainStores: StoresSpec = {
  redis: { replicas: 0, sentinels: 0, persistence: 'none', memoryMb: undefined, eviction: 'noeviction' },
  memcached: { nodes: 1, memoryMb: undefined },
  postgres: { commit: 'synchronous' },
};
