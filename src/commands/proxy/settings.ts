import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Argv } from 'yargs';
import { isHostPattern } from '../../proxy/hosts.js';
import { poolOptionNames } from '../../proxy/options.js';
import { type SettingName, settingEntries } from '../../proxy/settings.js';
import { messageOf } from '../../shared/text.js';
import { unknownName } from '../../shared/unknown-name.js';
import { parseYaml, type YamlFile } from '../../simulator/scenario/yaml.js';
import { describeUsageProblem } from '../lib/exit.js';
import { checkFlags, type Flags, flagsOf, UsageError } from '../lib/flags.js';
import type { ProxyArgs } from './flags.js';

/** The settings of one run of the proxy: typed flags win over the file. */
export interface ProxySettings {
  readonly args: ProxyArgs;
  /** The pools of hosts. Only a file can have them. */
  readonly hosts: readonly HostSettings[];
  /** Calls `use` with them. An error about a value of the file is thrown again with the file and the line. */
  checked<T>(use: (args: ProxyArgs) => T): T;
}

/** Flags that a file cannot hold. */
const typedOnly = new Set(['config', 'help', 'version', 'show-hidden']);

/**
 * Reads a configuration file. Its entries become words of a command line, so that one parser checks both.
 * Throws `UsageError`.
 */
export async function readSettings(
  file: string,
  typed: readonly string[],
  builder: (words: readonly string[]) => Argv<ProxyArgs>,
): Promise<ProxySettings> {
  const yaml = parseYaml(readText('config', file), file, 'a configuration');
  const flags = flagsOf(builder([]));
  const wins = listTypedFlags(typed);
  const place = { yaml, at: [], folder: path.dirname(file) };
  const words = readEntries(yaml, flags)
    .filter(([flag]) => !wins.has(flag))
    .filter(([flag]) => flag !== 'hosts')
    .flatMap(([flag, value]) => buildWords(flag, value, flags, place));
  checkAt(() => checkFlags(words, flags), place, wins);
  const args = await parseWords(builder([...words, ...typed])).catch(error => {
    throw addPlace(error, place, wins);
  });
  const parse = (words: readonly string[]) => parseWords(builder(words));
  const hosts = await readHosts({ flags, parse, defaults: args, place });
  return { args, hosts, checked: use => checkAt(() => use(args), place, wins) };
}

/** Reads the file that a flag names. */
function readText(flag: 'config' | 'backends-file', file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--${flag} "${file}": ${messageOf(error)}`);
  }
}

function listTypedFlags(words: readonly string[]): ReadonlySet<string> {
  const flags = words.flatMap(word => /^--(?:no-)?([A-Za-z][\w-]*)/.exec(word)?.[1] ?? []);
  return new Set(flags.map(flag => flag.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)));
}

function readEntries(yaml: YamlFile, flags: Flags): [flag: string, value: unknown][] {
  const known = [...flags.known.filter(flag => !typedOnly.has(flag)), 'hosts'];
  const { value } = yaml;
  if (!isMapping(value)) {
    throw yaml.refusal([
      { path: [], message: 'expected flags of holdfast proxy with their values, as in "port: 8080"' },
    ]);
  }
  const entries = Object.entries(value);
  const unknown = entries.filter(([flag]) => !known.includes(flag));
  if (unknown.length === 0) return entries;
  throw yaml.refusal(
    unknown.map(([flag]) => ({ path: [flag], at: 'key', message: unknownName('setting', flag, known) })),
  );
}

/** Where a value stands: the file, and the path of the mapping in it. */
interface Place {
  readonly yaml: YamlFile;
  readonly at: readonly PropertyKey[];
  /** Paths are relative to the folder of the file. */
  readonly folder: string;
}

/** Turns an entry of a configuration file into words of a command line. Throws for a value of another form. */
function buildWords(flag: string, value: unknown, flags: Flags, { yaml, at, folder }: Place): string[] {
  const isList = flags.lists.includes(flag);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const fits = isList ? values.length > 0 : !Array.isArray(value);
  if (!fits || !values.every(isPlain)) {
    const message = isList ? 'expected a list of plain values, at least one' : 'expected one plain value';
    throw yaml.refusal([{ path: [...at, flag], message: `${flag}: ${message}` }]);
  }
  if (flags.switches.includes(flag) && typeof value !== 'boolean') {
    throw yaml.refusal([{ path: [...at, flag], message: `${flag}: expected true or false` }]);
  }
  const told = flags.paths.includes(flag) ? values.map(text => fromFolder(folder, String(text))) : values;
  return told.map(text => `--${flag}=${text ?? ''}`);
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

/** Resolves a path relative to the file. */
function fromFolder(folder: string, text: string): string {
  return text === '-' || text === '' ? text : path.resolve(folder, text);
}

/** Parses the words. Throws `UsageError`. */
async function parseWords(parser: Argv<ProxyArgs>): Promise<ProxyArgs> {
  const fail = (message: string | null, error: Error | undefined): never => {
    throw message === null && error !== undefined
      ? error
      : new UsageError(describeUsageProblem(message ?? 'bad usage', [], []));
  };
  return await parser.strict().help(false).version(false).exitProcess(false).fail(fail).parseAsync();
}

/** Runs `check`. An error about a flag is thrown again with the file and the line. */
function checkAt<T>(check: () => T, place: Place, typed?: ReadonlySet<string>): T {
  try {
    return check();
  } catch (error) {
    throw addPlace(error, place, typed);
  }
}

/**
 * Adds the file and the line to an error about a flag: its message begins with the flag. `typed`: flags of the command
 * line, which override the file. Returns other errors as they are.
 */
function addPlace(error: unknown, { yaml, at }: Place, typed: ReadonlySet<string> = new Set()): unknown {
  if (!(error instanceof UsageError)) return error;
  const flag = /^--([a-z][a-z-]*)/.exec(error.message)?.[1] ?? '';
  const isHere = Object.hasOwn(findMapping(yaml.value, at), flag) && !typed.has(flag);
  if (!isHere && at.length === 0) return error;
  return new UsageError(`${yaml.placeOf([...at, ...(isHere ? [flag] : [])].map(String))}: ${error.message}`);
}

/** Returns the mapping at this path of a file. */
function findMapping(value: unknown, at: readonly PropertyKey[]): Record<PropertyKey, unknown> {
  const found = at.reduce<unknown>((parent, key) => (isObject(parent) ? parent[key] : undefined), value);
  return isObject(found) ? found : {};
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return isObject(value) && !Array.isArray(value);
}

function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The settings of the pool of one host: its own ones, and those at the top of the file for the rest. */
export interface HostSettings {
  readonly host: string;
  readonly args: ProxyArgs;
  /** Calls `use` with the settings. An error about a value of the file is thrown again with the file and the line. */
  checked<T>(use: (args: ProxyArgs) => T): T;
}

const poolOptions: ReadonlySet<string | undefined> = new Set(poolOptionNames);

/** All pools share one key ring. Only the pool at the top has backends of a file or of DNS. */
const sharedSettings: ReadonlySet<string> = new Set(['secrets-file', 'backends-file', 'resolve', 'resolver']);

/** The settings that the entry of a host can have. */
const hostSettingNames: readonly SettingName[] = [
  ...settingEntries.flatMap(([name, { option }]) =>
    poolOptions.has(option) && !sharedSettings.has(name) ? [name] : [],
  ),
  'tls-cert',
  'tls-key',
];

const hostsExpected = 'expected a list of hosts, each with "host" and "backend"';

/** The parsers and defaults for the entry of a host. */
interface HostReading {
  readonly flags: Flags;
  readonly parse: (words: readonly string[]) => Promise<ProxyArgs>;
  /** The settings at the top of the file. */
  readonly defaults: ProxyArgs;
  readonly place: Place;
}

/** Reads the list `hosts` of a configuration file. Throws an error with the place in the file. */
async function readHosts(reading: HostReading): Promise<readonly HostSettings[]> {
  const { yaml } = reading.place;
  const list: unknown = isMapping(yaml.value) ? yaml.value.hosts : undefined;
  if (list === undefined) return [];
  if (!Array.isArray(list) || list.length === 0) throw yaml.refusal([{ path: ['hosts'], message: hostsExpected }]);
  const read: HostSettings[] = [];
  for (const [index, entry] of list.entries()) {
    const settings = await readHost(entry, { ...reading, place: { ...reading.place, at: ['hosts', index] } });
    if (read.some(({ host }) => host === settings.host))
      throw yaml.refusal([{ path: ['hosts', index, 'host'], message: `host: ${settings.host} is given twice` }]);
    read.push(settings);
  }
  return read;
}

async function readHost(entry: unknown, { flags, parse, defaults, place }: HostReading): Promise<HostSettings> {
  const { yaml, at } = place;
  if (!isMapping(entry)) throw yaml.refusal([{ path: at, message: hostsExpected }]);
  const keys = Object.keys(entry).filter(key => key !== 'host');
  const unknown = keys.find(key => !hostSettingNames.some(name => name === key));
  if (unknown !== undefined) {
    const message = unknownName('setting of a host', unknown, ['host', ...hostSettingNames]);
    throw yaml.refusal([{ path: [...at, unknown], at: 'key', message }]);
  }
  const host = readHostName(entry.host, place);
  if (entry.backend === undefined)
    throw yaml.refusal([{ path: at, message: `${host} has no backend: ${hostsExpected}` }]);
  const words = keys.flatMap(key => buildWords(key, entry[key], flags, place));
  checkAt(() => checkFlags(words, flags), place);
  const own = await parse(words).catch(error => {
    throw addPlace(error, place);
  });
  const args = mergeArgs(host, keys, own, defaults);
  return { host, args, checked: use => checkAt(() => use(args), place) };
}

function readHostName(value: unknown, { yaml, at }: Place): string {
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

/**
 * Reads a YAML list of backends, each written as for `--backend`. `check` throws for a wrong one. Throws `UsageError`
 * when the file cannot be read, and `ScenarioError` with file and line for wrong content.
 */
export function readBackendsFile(file: string, check: (text: string) => void): readonly string[] {
  const yaml = parseYaml(readText('backends-file', file), file, 'a list of backends');
  const { value } = yaml;
  if (!Array.isArray(value) || value.length === 0)
    throw yaml.refusal([{ path: [], message: 'expected a list of backends, as in "- red=http://10.0.0.1:3001"' }]);
  return value.map((text: unknown, index) => {
    const problem =
      typeof text === 'string' ? findProblem(text, check) : 'expected a text such as http://10.0.0.1:3001';
    if (problem !== undefined) throw yaml.refusal([{ path: [index], message: problem }]);
    return String(text);
  });
}

function findProblem(text: string, check: (text: string) => void): string | undefined {
  try {
    check(text);
    return undefined;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}
