import type { StoreServerName } from './shared/stores.js';

/** A mode: the pair of routing and session storage that `--mode` selects. */
export interface Mode {
  /** Whether the proxy binds a browser to one incarnation of a backend; `--affinity` overrides it. */
  readonly affinity: boolean;
  /** How a cookie token becomes a session: a key of the strategy registry. */
  readonly strategy: 'reference' | 'jwt' | 'sealed';
  /** Where the strategy keeps its records: a key of the store registry. `jwt` and `sealed` keep only a list of sessions
   * there, never the session data. */
  readonly store: 'memory' | StoreServerName;
  /** Revocation lag: how long other backends may still accept a session that has ended. */
  readonly revocationLagMs: number;
  /** One line for the table in docs/modes.md. */
  readonly summary: string;
}

export const modes = {
  sticky: {
    affinity: true,
    strategy: 'reference',
    store: 'memory',
    revocationLagMs: 0,
    summary: 'cookie affinity; the session is in the memory of one backend',
  },
  redis: {
    affinity: false,
    strategy: 'reference',
    store: 'redis',
    revocationLagMs: 0,
    summary: 'any backend serves any user; the session is in Redis',
  },
  memcached: {
    affinity: false,
    strategy: 'reference',
    store: 'memcached',
    revocationLagMs: 0,
    summary: 'any backend serves any user; the session is in memcached, until it is evicted',
  },
  postgres: {
    affinity: false,
    strategy: 'reference',
    store: 'postgres',
    revocationLagMs: 0,
    summary: 'any backend serves any user; the session is in PostgreSQL, on disk',
  },
  jwt: {
    affinity: false,
    strategy: 'jwt',
    store: 'redis',
    revocationLagMs: 1_000,
    summary: 'any backend serves any user; the session is a signed token in the browser, Redis lists the sessions',
  },
  sealed: {
    affinity: false,
    strategy: 'sealed',
    store: 'redis',
    revocationLagMs: 1_000,
    summary: 'any backend serves any user; the session is an encrypted cookie, Redis lists the sessions',
  },
} as const satisfies Record<string, Mode>;

/** Returns the store servers that a mode needs. */
export function storesOf(mode: ModeName): readonly Exclude<Mode['store'], 'memory'>[] {
  const { store }: Mode = modes[mode];
  return store === 'memory' ? [] : [store];
}

export type ModeName = keyof typeof modes;

export const modeNames = Object.keys(modes) as readonly ModeName[];

export function isModeName(name: string): name is ModeName {
  return Object.hasOwn(modes, name);
}

/** Names for groups of modes, in scenario files. `shared` are the modes in which any backend serves any user. */
export const modeGroups: Readonly<Record<'all' | 'shared', readonly ModeName[]>> = {
  all: modeNames,
  shared: modeNames.filter(name => !modes[name].affinity),
};
