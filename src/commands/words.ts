import { unknownName } from '../unknown-name.js';
import { UsageError } from './exit.js';

/** The flags that may be given more than once. */
const lists: Readonly<Record<string, readonly string[]>> = {
  proxy: ['backend', 'trust'],
  run: ['mode'],
  load: ['mode'],
  attack: ['mode', 'attack'],
  matrix: ['modes', 'faults'],
};

/**
 * What yargs lets pass. A flag without a value is most often a variable of a script that is not set: `--json "$OUT"`
 * must not become a run without a file, nor `--host ""` a proxy that listens everywhere. Of a flag that is given twice
 * nobody can say which was meant.
 */
export function checkWords(words: readonly string[], commands: readonly string[]): void {
  const [command] = words;
  if (command !== undefined && !command.startsWith('-') && !commands.includes(command))
    throw new UsageError(`${unknownName('command', command, commands)} See: holdfast --help`);
  checkFlags(words);
}

function checkFlags(words: readonly string[]): void {
  const end = words.indexOf('--');
  const own = end === -1 ? words : words.slice(0, end);
  const repeatable = lists[own[0] ?? ''] ?? [];
  const seen = new Set<string>();
  for (const [index, word] of own.entries()) {
    const [, flag, value] = /^--([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (flag === undefined) continue;
    if ((value ?? own[index + 1]) === '') throw new UsageError(`--${flag}: its value is empty.`);
    if (seen.has(flag) && !repeatable.includes(flag))
      throw new UsageError(`--${flag} is given more than once: give it once.`);
    seen.add(flag);
  }
}
