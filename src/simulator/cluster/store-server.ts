import type { ProcessSpec } from './processes/process-member.js';
import type { RunProgram } from './processes/run-program.js';

/** A store server that the lab can start, as one member or as several. Implementations: `stores/registry.ts`. */
export interface StoreServer {
  shape(spec: StoresSpec): StoreShape;
  /** Readies what its members need, and says how they are run. Rejects with `LabError` when a program is missing. */
  prepare(place: StorePlace): Promise<PreparedStore>;
}

export interface StoreShape {
  /** The names of its members; the first is the one that its own name stands for. */
  readonly members: readonly [string, ...string[]];
  /** What a backend connects to, and what a link from it can lead to. Empty where it learns that at run time. */
  readonly addresses: readonly string[];
  /** Which members one of them replications: links between them, though it is the fed one that connects. */
  readonly replications: readonly (readonly [from: string, to: string])[];
  /** Its address may move: the backends need links that can be led elsewhere. */
  readonly moves: boolean;
}

export interface StorePlace {
  readonly spec: StoresSpec;
  readonly portOf: (member: string) => number;
  /** Where `to` connects to be fed by `from`: its port, or that of the link between them. */
  readonly feedPort: (from: string, to: string) => number;
  /** For the files of a member: empty, its own, and removed with the lab. */
  readonly directoryOf: (member: string) => Promise<string>;
  /** For what must be done before a server can start. */
  readonly run: RunProgram;
}

export interface PreparedStore {
  /** Those of one step start in any order, or at the same time, when those of the steps before it answer. */
  readonly steps: readonly (readonly ProcessSpec[])[];
  /** Whether its members have found each other. */
  readonly isWhole?: () => Promise<boolean>;
  /** What a backend is told that sees each address (and each member) at this port. */
  readonly url: (portOf: (name: string) => number) => string;
  /** For example `{ redis: '7.0.15' }`. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What a server without companions is. */
export function buildSingleShape(name: string): StoreShape {
  return { members: [name], addresses: [name], replications: [], moves: false };
}

/** How the store servers of a lab are run: of how many members, and what they keep for how long. */
export interface StoresSpec {
  readonly redis: RedisSpec;
  readonly memcached: MemcachedSpec;
  readonly postgres: PostgresSpec;
}

export interface RedisSpec {
  readonly replicas: number;
  /** With them the backends ask where the primary is; without, their links are led elsewhere when it moves. */
  readonly sentinels: number;
  /** `aof` with an fsync each second, `rdb` with the times of saving that Redis has by default. */
  readonly persistence: 'none' | 'aof' | 'rdb';
  /** Undefined: as much as there is. */
  readonly memoryMb: number | undefined;
  readonly eviction: 'noeviction' | 'allkeys-lru';
}

interface MemcachedSpec {
  /** With more than one each key is kept by one of them. */
  readonly nodes: number;
  /** Of each. Undefined: its own default, 64. */
  readonly memoryMb: number | undefined;
}

interface PostgresSpec {
  /** `asynchronous`: what is acknowledged may be on its way to the disk for a second. */
  readonly commit: 'synchronous' | 'asynchronous';
}

/** Each by itself, as it is by default but for one thing: Redis keeps nothing on disk. */
export const plainStores: StoresSpec = {
  redis: { replicas: 0, sentinels: 0, persistence: 'none', memoryMb: undefined, eviction: 'noeviction' },
  memcached: { nodes: 1, memoryMb: undefined },
  postgres: { commit: 'synchronous' },
};
