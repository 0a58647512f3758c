import { type StoreUrls, storeDescriptors, storeNames } from '../../shared/stores.js';

/** Placeholders of the user's own app: those that a scenario file may use, and their values in a run. */

/** Placeholders of `system.backends.command`. Addresses are left out: a shell could interpret their characters. */
export const commandPlaceholders = ['port', 'name', 'run-dir'] as const;

/** Placeholders of `system.backends.env`. Those of a store are empty in a mode without that store. */
export const ownPlaceholders = [
  ...commandPlaceholders,
  'store',
  ...storeNames.flatMap(store => [store, ...storeDescriptors[store].parts.map(part => `${store}.${part}`)]),
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
  const own = { name, port: String(port), 'run-dir': runDirectory, store: (store && storeUrls[store]) ?? '' };
  const stores = storeNames.flatMap(each => {
    const url = storeUrls[each] ?? '';
    return [[each, url] as const, ...partsOf(each, url, String(storeDescriptors[each].defaultPort))];
  });
  return { ...own, ...Object.fromEntries(stores) };
}

const address =
  /^[a-z+]+:\/\/(?:(?<user>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?:\[(?<v6>[^\]]*)\]|(?<host>[^:/,?]*))(?::(?<port>\d+))?[^/?]*(?:\/(?<database>[^?]*))?/i;

function partsOf(store: string, url: string, portDefault: string): (readonly [name: string, value: string])[] {
  const found = address.exec(url)?.groups;
  if (found === undefined) return [];
  const { user = '', password = '', v6, host = '', port = portDefault, database = '' } = found;
  const parts = { host: v6 ?? host, port, user, password, database };
  return Object.entries(parts).map(([part, text]) => [`${store}.${part}`, decodePart(text)] as const);
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
