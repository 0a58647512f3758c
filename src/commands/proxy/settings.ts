import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Argv } from 'yargs';
import { messageOf } from '../../shared/error-message.js';
import { unknownName } from '../../shared/unknown-name.js';
import { parseYaml, type YamlFile } from '../../simulator/scenario/yaml.js';
import { UsageError } from '../lib/errors.js';
import { checkFlags, type Flags, flagsOf } from '../lib/flags.js';
import { addPlace, buildWords, checkAt, isMapping, parseWords } from './file-words.js';
import type { ProxyArgs } from './flags.js';
import { type HostSettings, readHosts } from './hosts.js';

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
  const yaml = parseYaml(readText(file), file, 'a configuration');
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

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--config "${file}": ${messageOf(error)}`);
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
