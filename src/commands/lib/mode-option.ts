import { isModeName, type ModeName, modeNames } from '../../modes.js';
import { unknownName } from '../../shared/unknown-name.js';
import { UsageError } from './errors.js';

/** Reads `--mode a,b` (or `--mode a --mode b`): known names, in the order given, each once. */
export function parseModes(given: string | readonly string[]): readonly ModeName[] {
  const names = [given].flat().flatMap(text => text.split(',').map(name => name.trim()));
  return [...new Set(names.map(parseMode))];
}

export function parseMode(name: string): ModeName {
  if (isModeName(name)) return name;
  // --mode takes all words up to the next flag.
  const hint = /\.ya?ml$/.test(name) ? ' Put scenario files before --mode.' : '';
  throw new UsageError(`${unknownName('mode', name, modeNames)}${hint}`);
}

/** Parses a flag whose value is a key of a registry. Throws `UsageError` for another value. */
export function parseKey(flag: string, given: string, registry: Readonly<Record<string, unknown>>): string {
  if (!Object.hasOwn(registry, given))
    throw new UsageError(`--${flag}: ${unknownName(flag, given, Object.keys(registry))}`);
  return given;
}

/** Parses a whole number from `least` to `most`. Throws `UsageError` for another value. */
export function parseCount(flag: string, given: number, least: number, most: number): number {
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  const found = Number.isNaN(given) ? '' : `, not "${given}"`;
  throw new UsageError(`--${flag}: expected a whole number from ${least} to ${most}${found}.`);
}
