import { isModeName, type ModeName, modeNames } from '../modes.js';
import { unknownName } from '../unknown-name.js';
import { UsageError } from './exit.js';

/** Reads `--mode a,b` (or `--mode a --mode b`): known names, in the order given, each once. */
export function parseModes(given: string | readonly string[]): readonly ModeName[] {
  const names = [given].flat().flatMap(text => text.split(',').map(name => name.trim()));
  return [...new Set(names.map(parseMode))];
}

export function parseMode(name: string): ModeName {
  if (isModeName(name)) return name;
  // --mode takes all words up to the next flag.
  const hint = /\.ya?ml$/.test(name) ? ' Name scenario files before --mode.' : '';
  throw new UsageError(`${unknownName('mode', name, modeNames)}${hint}`);
}
