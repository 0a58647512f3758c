import { unknownName } from '../../shared/unknown-name.js';
import { UsageError } from './errors.js';

/** The flags that a builder has. */
export interface Flags {
  readonly known: readonly string[];
  readonly lists: readonly string[];
  readonly switches: readonly string[];
  /** Values that are paths. */
  readonly paths: readonly string[];
}

/** yargs knows; its types leave it out. */
export function flagsOf(builder: object): Flags {
  if (!('getOptions' in builder) || typeof builder.getOptions !== 'function') throw new TypeError('another yargs');
  const options: { key: object; array: string[]; boolean: string[]; normalize: string[] } = builder.getOptions();
  const { array: lists, boolean: switches, normalize: paths } = options;
  return { known: Object.keys(options.key), lists, switches, paths };
}

export function checkCommand([command]: readonly string[], commands: readonly string[]): void {
  if (command === undefined || command.startsWith('-') || commands.includes(command)) return;
  throw new UsageError(`${unknownName('command', command, commands)} See: holdfast --help`);
}

/**
 * What yargs lets pass. A flag without a value is most often a variable of a script that is not set: `--json "$OUT"`
 * must not become a run without a file, nor `--host ""` or `--no-host` a proxy that listens everywhere. Of a flag that
 * is given twice nobody can say which was meant, and a switch that is set to "yes" would be off.
 */
export function checkFlags(words: readonly string[], flags: Flags): void {
  const end = words.indexOf('--');
  const own = end === -1 ? words : words.slice(0, end);
  const seen = new Set<string>();
  for (const [index, word] of own.entries()) {
    refuseOneDash(word, flags);
    const [, typed, value] = /^--([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (typed === undefined) continue;
    if ((value ?? own[index + 1]) === '') throw new UsageError(`--${typed}: its value is empty.`);
    const flag = flagOf(typed, value, flags);
    if (seen.has(flag) && !flags.lists.includes(flag))
      throw new UsageError(`--${flag} is given more than once: give it once.`);
    seen.add(flag);
  }
}

/** What stands behind `--` is no flag, and yargs never says that nobody wanted it. `usage`: as in `run <scenarios..>`. */
export function checkOperands(words: readonly string[], usage: string): void {
  const end = words.indexOf('--');
  const first = end === -1 ? undefined : words[end + 1];
  if (first === undefined || /[<[]/.test(usage)) return;
  throw new UsageError(`"${first}": ${usage} takes nothing but flags, and behind -- there are none.`);
}

/** The flag that a word means, without dashes and as it is known: yargs takes `--adminPort` and `--no-forwarded` too. */
function flagOf(typed: string, value: string | undefined, { known, switches }: Flags): string {
  const flag = typed.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
  const negated = flag.startsWith('no-') && !known.includes(flag) ? flag.slice('no-'.length) : undefined;
  if (negated !== undefined && known.includes(negated) && !switches.includes(negated))
    throw new UsageError(`--no-${negated}: --${negated} takes a value and cannot be switched off; leave it out.`);
  if (value !== undefined && switches.includes(negated ?? flag) && !['true', 'false'].includes(value))
    throw new UsageError(`--${typed}: expected no value, or true or false, not "${value}".`);
  return negated ?? flag;
}

/** To yargs, as to most tools, `-port` is four flags. */
function refuseOneDash(word: string, { known }: Flags): void {
  const [, name = ''] = /^-([A-Za-z][\w-]+)(?:=.*)?$/s.exec(word) ?? [];
  if (known.includes(name)) throw new UsageError(`-${name}: a flag begins with two dashes, as in --${name}.`);
}
