/** A mode is the pair (routing, how sessions are kept) that `--mode` picks. */
export interface Mode {
  /** Whether the proxy binds a browser to one incarnation of a backend; `--affinity` overrides it. */
  readonly affinity: boolean;
  /** How a cookie token becomes a session: a key of the strategy registry. */
  readonly strategy: 'reference' | 'jwt' | 'sealed';
  /** Where the strategy keeps its records: a key of the store registry. `jwt` and `sealed` keep only a registry of
   * sessions there, never their data. */
  readonly store: 'memory' | 'redis' | 'memcached' | 'postgres';
  /** For so long an ended session may still be honoured elsewhere. */
  readonly revocationLagMs: number;
  /** One line for `--help` and the README. */
  readonly summary: string;
}

export const modes = {
  sticky: {
    affinity: true,
    strategy: 'reference',
    store: 'memory',
    revocationLagMs: 0,
    summary: 'cookie affinity; the session lives in the memory of one backend',
  },
  redis: {
    affinity: false,
    strategy: 'reference',
    store: 'redis',
    revocationLagMs: 0,
    summary: 'any backend serves anyone; the session lives in Redis',
  },
  memcached: {
    affinity: false,
    strategy: 'reference',
    store: 'memcached',
    revocationLagMs: 0,
    summary: 'any backend serves anyone; the session lives in memcached, until it is evicted',
  },
  postgres: {
    affinity: false,
    strategy: 'reference',
    store: 'postgres',
    revocationLagMs: 0,
    summary: 'any backend serves anyone; the session lives in PostgreSQL, on disk',
  },
  jwt: {
    affinity: false,
    strategy: 'jwt',
    store: 'redis',
    revocationLagMs: 1_000,
    summary: 'any backend serves anyone; the session is a signed token in the browser, Redis lists who has one',
  },
  sealed: {
    affinity: false,
    strategy: 'sealed',
    store: 'redis',
    revocationLagMs: 1_000,
    summary: 'any backend serves anyone; the session is an encrypted cookie, Redis lists who has one',
  },
} as const satisfies Record<string, Mode>;

/** The store servers that a mode needs. */
export function storesOf(mode: ModeName): readonly Exclude<Mode['store'], 'memory'>[] {
  const { store }: Mode = modes[mode];
  return store === 'memory' ? [] : [store];
}

export type ModeName = keyof typeof modes;

export const modeNames = Object.keys(modes) as readonly ModeName[];

export function isModeName(name: string): name is ModeName {
  return Object.hasOwn(modes, name);
}

/** Names for several modes at once, in scenario files. `shared`: any backend serves anyone, whatever keeps the session. */
export const modeGroups: Readonly<Record<'all' | 'shared', readonly ModeName[]>> = {
  all: modeNames,
  shared: modeNames.filter(name => !modes[name].affinity),
};
