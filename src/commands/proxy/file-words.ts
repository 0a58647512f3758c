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
export function wordsFor(flag: string, value: unknown, flags: Flags, { yaml, at, folder }: Place): string[] {
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
