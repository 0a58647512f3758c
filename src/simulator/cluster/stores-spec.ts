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

export interface MemcachedSpec {
  /** With more than one each key is kept by one of them. */
  readonly nodes: number;
  /** Of each. Undefined: its own default, 64. */
  readonly memoryMb: number | undefined;
}

export interface PostgresSpec {
  /** `asynchronous`: what is acknowledged may be on its way to the disk for a second. */
  readonly commit: 'synchronous' | 'asynchronous';
}

/** Each by itself, as it is by default but for one thing: Redis keeps nothing on disk. */
export const plainStores: StoresSpec = {
  redis: { replicas: 0, sentinels: 0, persistence: 'none', memoryMb: undefined, eviction: 'noeviction' },
  memcached: { nodes: 1, memoryMb: undefined },
  postgres: { commit: 'synchronous' },
};
