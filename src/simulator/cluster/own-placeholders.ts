import { type StoreUrls, storeDescriptors, storeNames } from '../../shared/stores.js';

/** Placeholders of an app of one's own: what a scenario file may write, and what stands there in a run. */

/** Placeholders of `system.backends.command`. An address could hold what a shell reads as more than an address. */
export const commandPlaceholders = ['port', 'name', 'run-dir'] as const;

/** Placeholders of `system.backends.env`; those of a store are empty where the mode has none. */
export const ownPlaceholders = [
  ...commandPlaceholders,
  'store',
  ...storeNames.flatMap(store => [store, ...storeDescriptors[store].parts.map(part => `${store}.${part}`)]),
];

const placeholder = /(?<!\$)\{([a-z][a-z0-9.-]*)\}/g;

/** Returns the first placeholder that is not among the known; `${x}` is the shell's own. */
export function strangePlaceholder(text: string, known: readonly string[]): string | undefined {
  return [...text.matchAll(placeholder)].map(([, name = '']) => name).find(name => !known.includes(name));
}

/** Returns the text with each placeholder replaced by its value, or by nothing. */
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

/** Returns what each placeholder stands for. Of an address with several servers the first gives host and port. */
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
  return Object.entries(parts).map(([part, text]) => [`${store}.${part}`, decoded(text)] as const);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
