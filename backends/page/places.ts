/** The place of a session in one mode, in words. Pure, like the story. */
interface Place {
  /** Completes "your session is kept" and "the session is". */
  home(backend: string): string;
  /** Says which backends can read it, for the panel. */
  readonly reach: string;
  /** The store that the backends use, for sentences about an outage. */
  readonly store: string;
}

/** The known state of the visitor's session. */
interface Whereabouts {
  readonly mode: string;
  readonly user: string | null;
  readonly backend: string;
}

function stored(name: string): Place {
  return { home: () => `in ${name}`, reach: 'which every backend asks', store: name };
}

const places: Readonly<Record<string, Place>> = {
  sticky: {
    home: backend => `in the memory of ${backend}`,
    reach: 'and nowhere else',
    store: 'The session store',
  },
  redis: stored('Redis'),
  memcached: stored('Memcached'),
  postgres: stored('PostgreSQL'),
  jwt: {
    home: () => 'in this browser, signed by the shop',
    reach: 'and every backend with the key can check it',
    store: 'Redis, which knows who was logged out,',
  },
  sealed: {
    home: () => 'in this browser, sealed by the shop',
    reach: 'and every backend with the key can open it',
    store: 'Redis, which knows who was logged out,',
  },
};

const elsewhere: Place = {
  home: () => 'in a store that all backends share',
  reach: 'which every backend asks',
  store: 'The session store',
};

function placeOf({ mode }: Whereabouts): Place {
  return (Object.hasOwn(places, mode) ? places[mode] : undefined) ?? elsewhere;
}

export function home(scene: Whereabouts, backend: string): string {
  return placeOf(scene).home(backend);
}

export function sharedStore(scene: Whereabouts): string {
  return placeOf(scene).store;
}

export function inMemory({ mode }: Whereabouts): boolean {
  return mode === 'sticky';
}

export function inBrowser({ mode }: Whereabouts): boolean {
  return mode === 'jwt' || mode === 'sealed';
}

/** Returns the place of the session for the panel, which always shows it. */
export function whereabouts(scene: Whereabouts): string {
  if (scene.user === null) return 'none: nobody is logged in here';
  return `${home(scene, scene.backend)}, ${placeOf(scene).reach}`;
}
