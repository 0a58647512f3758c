import path from 'node:path';
import type { Argv } from 'yargs';
import type { YamlFile } from '../../simulator/scenario/yaml.js';
import { UsageError } from '../lib/errors.js';
import { usageSentence } from '../lib/exit.js';
import type { Flags } from '../lib/flags.js';
import type { ProxyArgs } from './flags.js';

/** Where a value stands: the file, and the path of the mapping in it. */
export interface Place {
  readonly yaml: YamlFile;
  readonly at: readonly PropertyKey[];
  /** Paths are relative to the folder of the file. */
  readonly folder: string;
}

/** Turns an entry of a configuration file into words of a command line. Throws for a value of another form. */
export function buildWords(flag: string, value: unknown, flags: Flags, { yaml, at, folder }: Place): string[] {
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
export async function parseWords(parser: Argv<ProxyArgs>): Promise<ProxyArgs> {
  const fail = (message: string | null, error: Error | undefined): never => {
    throw message === null && error !== undefined
      ? error
      : new UsageError(usageSentence(message ?? 'bad usage', [], []));
  };
  return await parser.strict().help(false).version(false).exitProcess(false).fail(fail).parseAsync();
}

/** Runs `check`. An error about a flag is thrown again with the file and the line. */
export function checkAt<T>(check: () => T, place: Place, typed?: ReadonlySet<string>): T {
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
export function addPlace(error: unknown, { yaml, at }: Place, typed: ReadonlySet<string> = new Set()): unknown {
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

export function isMapping(value: unknown): value is Record<string, unknown> {
  return isObject(value) && !Array.isArray(value);
}

function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}
