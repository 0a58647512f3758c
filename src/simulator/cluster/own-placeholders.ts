import type { StoreUrls } from '../../shared/store-addresses.js';

/** Placeholders of the user's own app: those that a scenario file may use, and their values in a run. */

/** Placeholders of `system.backends.command`. Addresses are left out: a shell could interpret their characters. */
export const commandPlaceholders = ['port', 'name', 'run-dir'] as const;

/** Placeholders of `system.backends.env`. Those of a store are empty in a mode without that store. */
export const ownPlaceholders = [
  ...commandPlaceholders,
  ...['store', 'redis', 'redis.host', 'redis.port', 'memcached', 'memcached.host', 'memcached.port'],
  ...['postgres', 'postgres.host', 'postgres.port', 'postgres.user', 'postgres.password', 'postgres.database'],
];

const placeholder = /(?<!\$)\{([a-z][a-z0-9.-]*)\}/g;

/** Returns the first placeholder that is not in `known`. `${x}` belongs to the shell and is no placeholder. */
export function findUnknownPlaceholder(text: string, known: readonly string[]): string | undefined {
  return [...text.matchAll(placeholder)].map(([, name = '']) => name).find(name => !known.includes(name));
}

/** Replaces each placeholder by its value; one without a value becomes empty. */
export function fillPlaceholders(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(placeholder, (_whole, name) => values[name] ?? '');
}

export interface PlaceholderSources {
  readonly name: string;
  readonly port: number;
  readonly runDirectory: string;
  readonly storeUrls: StoreUrls;
  /** The store of the mode. */
  readonly store: keyof StoreUrls | undefined;
}

/** Returns the value of each placeholder. If an address names several servers, the first gives host and port. */
export function placeholderValues(sources: PlaceholderSources): Readonly<Record<string, string>> {
  const { name, port, runDirectory, storeUrls, store } = sources;
  const { redis = '', memcached = '', postgres = '' } = storeUrls;
  const own = { name, port: String(port), 'run-dir': runDirectory, store: (store && storeUrls[store]) ?? '' };
  return {
    ...own,
    ...{ redis, memcached, postgres },
    ...partsOf('redis', redis, '6379'),
    ...partsOf('memcached', memcached, '11211'),
    ...partsOf('postgres', postgres, '5432'),
  };
}

const address =
  /^[a-z+]+:\/\/(?:(?<user>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?:\[(?<v6>[^\]]*)\]|(?<host>[^:/,?]*))(?::(?<port>\d+))?[^/?]*(?:\/(?<database>[^?]*))?/i;

function partsOf(store: string, url: string, portDefault: string): Readonly<Record<string, string>> {
  const found = address.exec(url)?.groups;
  if (found === undefined) return {};
  const { user = '', password = '', v6, host = '', port = portDefault, database = '' } = found;
  const parts = { host: v6 ?? host, port, user, password, database };
  return Object.fromEntries(Object.entries(parts).map(([part, text]) => [`${store}.${part}`, decodePart(text)]));
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
