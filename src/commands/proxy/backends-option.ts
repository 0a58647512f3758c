import { weightExpected, weightMax } from '../../proxy/backends.js';
import type { ProxyOptions } from '../../proxy/options.js';
import { settings } from '../../proxy/settings.js';
import { UsageError } from '../lib/flags.js';
import { readDurationWithin } from './flags.js';

/**
 * Parses `url` or `name=url`, each with or without a weight and limits. `parseUrl` checks the URL. Throws for a name or an
 * origin that comes twice.
 */
export function nameGivenBackends(
  texts: readonly string[],
  parseUrl: (text: string) => URL,
  known?: ReadonlyMap<string, string>,
): ProxyOptions['backends'] {
  const given = texts.map(text => parseBackend(text, parseUrl));
  refuseTwice(given.map(({ url }) => url.origin));
  refuseTwice(given.flatMap(({ name }) => name ?? []));
  return nameBackends(given, known).map((backend, index) => ({
    ...backend,
    identity: given[index]?.name ?? backend.url.origin,
  }));
}

/** The names end up in paths of the admin API and in labels of metrics. */
function parseBackend(text: string, parseUrl: (text: string) => URL): GivenBackend & Omit<WrittenBackend, 'address'> {
  const [, name, url = ''] = /^(?:([^=:/]*)=)?(.*)$/s.exec(text) ?? [];
  if (name !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) {
    throw new UsageError(
      `--backend "${text}": expected a name of letters, digits, ".", "_" and "-" before the "=", as in red=http://127.0.0.1:3001.`,
    );
  }
  const { address, ...rest } = parseWrittenBackend(url);
  return { name, url: parseUrl(address), ...rest };
}

function refuseTwice(words: readonly string[]): void {
  const twice = words.find((word, index) => words.indexOf(word) !== index);
  if (twice !== undefined) throw new UsageError(`--backend ${twice} is given twice: give each backend once.`);
}

/** A backend as it was given: with a name of its own, or none. */
interface GivenBackend {
  readonly name: string | undefined;
  readonly url: URL;
}

interface NamedBackend {
  readonly name: string;
  readonly url: URL;
}

/**
 * Gives each backend the name by which the operator knows it. One without a name of its own is called after its place,
 * `backend-1`, `backend-2`. Such a name is for display only: cookies know the backend by its origin.
 *
 * `known`, from origin to name, are those that had a name here before. An origin keeps its name when the list around it
 * changes, and no origin gets a name that another origin had: an order of the operator would reach the wrong server.
 */
export function nameBackends<T extends GivenBackend>(
  given: readonly T[],
  known: ReadonlyMap<string, string> = new Map(),
): (Omit<T, 'name'> & NamedBackend)[] {
  const taken = new Set([...known.values(), ...given.flatMap(({ name }) => name ?? [])]);
  const owned = new Set(given.flatMap(({ name }) => name ?? []));
  return given.map((backend, index) => {
    if (backend.name !== undefined) return { ...backend, name: backend.name };
    const before = known.get(backend.url.origin);
    const name = before === undefined || owned.has(before) ? findFreeName(index + 1, given.length, taken) : before;
    taken.add(name);
    owned.add(name);
    return { ...backend, name };
  });
}

function findFreeName(place: number, places: number, taken: ReadonlySet<string>): string {
  if (!taken.has(`backend-${place}`)) return `backend-${place}`;
  let next = places + 1;
  while (taken.has(`backend-${next}`)) next += 1;
  return `backend-${next}`;
}

interface WrittenBackend {
  /** Not checked here. */
  readonly address: string;
  /** 1 when it is not given. */
  readonly weight: number;
  readonly maxconn?: number;
  readonly responseMs?: number;
}

/** Parses `http://127.0.0.1:3001,weight=3,maxconn=10,response-timeout=5min`. */
export function parseWrittenBackend(text: string): WrittenBackend {
  const [address = '', ...words] = text.split(',');
  const values: Record<string, number> = {};
  for (const word of words) {
    const [key = '', value = ''] = word.split('=');
    const parsed = Object.hasOwn(values, key) ? undefined : suffixes[key]?.(value);
    if (parsed === undefined || word !== `${key}=${value}`) throw buildSuffixError(text);
    values[key] = parsed;
  }
  const { weight = 1, maxconn, 'response-timeout': responseMs } = values;
  return {
    address,
    weight,
    ...(maxconn !== undefined && { maxconn }),
    ...(responseMs !== undefined && { responseMs }),
  };
}

/** Parsers of the settings behind an address. They return undefined for a wrong value. */
const suffixes: Readonly<Record<string, (text: string) => number | undefined>> = {
  weight: text => parseWhole(text, weightMax),
  maxconn: text => parseWhole(text, 9_999_999),
  'response-timeout': text => readDurationWithin(text, settings['response-timeout'].format),
};

function parseWhole(text: string, most: number): number | undefined {
  return /^\d{1,7}$/.test(text) && Number(text) <= most ? Number(text) : undefined;
}

function buildSuffixError(text: string): UsageError {
  return new UsageError(
    `--backend "${text}": expected behind the address ",weight=N", ${weightExpected}, ",maxconn=N", and ",response-timeout=TIME", such as http://127.0.0.1:3001,weight=3,maxconn=10,response-timeout=5min.`,
  );
}
