import { createHash } from 'node:crypto';
import { isHostPattern } from '../../proxy/hosts.js';
import { poolOptionNames } from '../../proxy/options.js';
import { type SettingName, settingEntries } from '../../proxy/settings.js';
import { unknownName } from '../../shared/unknown-name.js';
import { checkFlags, type Flags } from '../lib/flags.js';
import { addPlace, buildWords, checkAt, isMapping, type Place } from './file-words.js';
import type { ProxyArgs } from './flags.js';

/** The settings of the pool of one host: its own ones, and those at the top of the file for the rest. */
export interface HostSettings {
  readonly host: string;
  readonly args: ProxyArgs;
  /** Calls `use` with the settings. An error about a value of the file is thrown again with the file and the line. */
  checked<T>(use: (args: ProxyArgs) => T): T;
}

const poolOptions: ReadonlySet<string | undefined> = new Set(poolOptionNames);

/** All pools share one key ring. Only the pool at the top has backends of a file or of DNS. */
const shared: ReadonlySet<string> = new Set(['secrets-file', 'backends-file', 'resolve', 'resolver']);

/** The settings that the entry of a host can have. */
export const hostSettingNames: readonly SettingName[] = [
  ...settingEntries.flatMap(([name, { option }]) => (poolOptions.has(option) && !shared.has(name) ? [name] : [])),
  'tls-cert',
  'tls-key',
];

const expected = 'expected a list of hosts, each with "host" and "backend"';

interface Reading {
  readonly flags: Flags;
  readonly parse: (words: readonly string[]) => Promise<ProxyArgs>;
  /** The settings at the top of the file. */
  readonly defaults: ProxyArgs;
  readonly place: Place;
}

/** Reads the list `hosts` of a configuration file. Throws an error with the place in the file. */
export async function readHosts(reading: Reading): Promise<readonly HostSettings[]> {
  const { yaml } = reading.place;
  const list: unknown = isMapping(yaml.value) ? yaml.value.hosts : undefined;
  if (list === undefined) return [];
  if (!Array.isArray(list) || list.length === 0) throw yaml.refusal([{ path: ['hosts'], message: expected }]);
  const read: HostSettings[] = [];
  for (const [index, entry] of list.entries()) {
    const settings = await readHost(entry, { ...reading, place: { ...reading.place, at: ['hosts', index] } });
    if (read.some(({ host }) => host === settings.host))
      throw yaml.refusal([{ path: ['hosts', index, 'host'], message: `host: ${settings.host} is given twice` }]);
    read.push(settings);
  }
  return read;
}

async function readHost(entry: unknown, { flags, parse, defaults, place }: Reading): Promise<HostSettings> {
  const { yaml, at } = place;
  if (!isMapping(entry)) throw yaml.refusal([{ path: at, message: expected }]);
  const keys = Object.keys(entry).filter(key => key !== 'host');
  const unknown = keys.find(key => !hostSettingNames.some(name => name === key));
  if (unknown !== undefined) {
    const message = unknownName('setting of a host', unknown, ['host', ...hostSettingNames]);
    throw yaml.refusal([{ path: [...at, unknown], at: 'key', message }]);
  }
  const host = readName(entry.host, place);
  if (entry.backend === undefined) throw yaml.refusal([{ path: at, message: `${host} has no backend: ${expected}` }]);
  const words = keys.flatMap(key => buildWords(key, entry[key], flags, place));
  checkAt(() => checkFlags(words, flags), place);
  const own = await parse(words).catch(error => {
    throw addPlace(error, place);
  });
  const args = mergeArgs(host, keys, own, defaults);
  return { host, args, checked: use => checkAt(() => use(args), place) };
}

function readName(value: unknown, { yaml, at }: Place): string {
  const host = typeof value === 'string' ? value.toLowerCase() : '';
  if (isHostPattern(host)) return host;
  const message = `host: expected a name such as shop.example.com, or *.example.com, not "${value ?? ''}"`;
  throw yaml.refusal([{ path: value === undefined ? at : [...at, 'host'], message }]);
}

/** A certificate belongs to its host, and each pool has a cookie of its own. Both are not taken from the top. */
function mergeArgs(host: string, keys: readonly string[], own: ProxyArgs, defaults: ProxyArgs): ProxyArgs {
  const given = Object.entries(own).filter(([name]) => keys.includes(name));
  const apart = { tls: undefined, 'tls-cert': undefined, 'tls-key': undefined, pool: buildPoolName(host) };
  return { ...defaults, ...apart, ...Object.fromEntries(given) };
}

const poolCharsMax = 32;

/** Builds the name of a pool from its host. It becomes part of a cookie name. */
export function buildPoolName(host: string): string {
  const name = host.replace(/^\*/, 'any').replaceAll(/[^a-z0-9-]/g, '_');
  if (name.length <= poolCharsMax) return name;
  const digest = createHash('sha256').update(host).digest('hex').slice(0, 8);
  return `${name.slice(0, poolCharsMax - digest.length - 1)}-${digest}`;
}
