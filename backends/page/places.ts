/** The place of a session in one mode, in words. Pure, like the story. */
interface SessionPlace {
  /** Completes "your session is kept" and "the session is". */
  describe(backend: string): string;
  /** Says which backends can read it, for the panel. */
  readonly reach: string;
  /** The store that the backends use, for sentences about an outage. */
  readonly store: string;
}

/** The known state of the visitor's session. */
interface SessionState {
  readonly mode: string;
  readonly user: string | null;
  readonly backend: string;
}

function storePlace(name: string): SessionPlace {
  return { describe: () => `in ${name}`, reach: 'which every backend asks', store: name };
}

const places: Readonly<Record<string, SessionPlace>> = {
  sticky: {
    describe: backend => `in the memory of ${backend}`,
    reach: 'and nowhere else',
    store: 'The session store',
  },
  redis: storePlace('Redis'),
  memcached: storePlace('Memcached'),
  postgres: storePlace('PostgreSQL'),
  jwt: {
    describe: () => 'in this browser, signed by the shop',
    reach: 'and every backend with the key can check it',
    store: 'Redis, which knows who was logged out,',
  },
  sealed: {
    describe: () => 'in this browser, sealed by the shop',
    reach: 'and every backend with the key can open it',
    store: 'Redis, which knows who was logged out,',
  },
};

const elsewhere: SessionPlace = {
  describe: () => 'in a store that all backends share',
  reach: 'which every backend asks',
  store: 'The session store',
};

function placeOf({ mode }: SessionState): SessionPlace {
  return (Object.hasOwn(places, mode) ? places[mode] : undefined) ?? elsewhere;
}

export function describeHome(session: SessionState, backend: string): string {
  return placeOf(session).describe(backend);
}

export function sharedStore(session: SessionState): string {
  return placeOf(session).store;
}

export function inMemory({ mode }: SessionState): boolean {
  return mode === 'sticky';
}

export function inBrowser({ mode }: SessionState): boolean {
  return mode === 'jwt' || mode === 'sealed';
}

/** Returns the place of the session for the panel, which always shows it. */
export function describePlace(session: SessionState): string {
  if (session.user === null) return 'none: you are not logged in here';
  return `${describeHome(session, session.backend)}, ${placeOf(session).reach}`;
}
