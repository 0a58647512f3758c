import type { Argv } from 'yargs';
import { isModeName, type ModeName, modeNames } from '../../modes.js';
import { commandLine } from '../../shared/package.js';
import { type StoreServerName, type StoreUrls, storeDescriptors, storeNames } from '../../shared/stores.js';
import { maskUrl } from '../../shared/text.js';
import { nearest, unknownName } from '../../shared/unknown-name.js';

/** A command line that Holdfast cannot carry out: exit code 3. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The flags that a builder has. */
export interface Flags {
  readonly known: readonly string[];
  readonly lists: readonly string[];
  readonly switches: readonly string[];
  /** Values that are paths. */
  readonly paths: readonly string[];
  /** Values that are numbers. */
  readonly numbers: readonly string[];
}

/** Reads the flags from yargs by `getOptions`, which is missing in its types. */
export function flagsOf(builder: object): Flags {
  if (!('getOptions' in builder) || typeof builder.getOptions !== 'function') throw new TypeError('another yargs');
  const options: Record<'array' | 'boolean' | 'normalize' | 'number', string[]> & { key: object } =
    builder.getOptions();
  const { array: lists, boolean: switches, normalize: paths, number: numbers } = options;
  return { known: Object.keys(options.key), lists, switches, paths, numbers };
}

export function checkCommand([command]: readonly string[], commands: readonly string[]): void {
  if (command === undefined || command.startsWith('-') || commands.includes(command)) return;
  throw new UsageError(`${unknownName('command', command, commands)} See: ${commandLine('--help')}`);
}

/**
 * Refuses unknown flags. yargs would first complain about what is missing, such as the scenario that a misspelt flag has
 * swallowed.
 */
export function checkKnown(words: readonly string[], { known }: Flags, help: string): void {
  const unknown = ownWords(words).flatMap(word => {
    const [, dashes = '', typed] = /^(--?)([A-Za-z][\w.-]*)/.exec(word) ?? [];
    const isKnown = typed === undefined || [typed, toKebab(typed), toKebab(typed).replace(/^no-/, '')].some(isAmong);
    return isKnown ? [] : [describeUnknownFlag(typed, known, dashes)];
  });
  if (unknown.length > 0) throw new UsageError(`${unknown.join(' ')} See: ${help}`);

  function isAmong(name: string): boolean {
    return known.includes(name);
  }
}

/** Returns the message for an unknown flag, with the nearest known one. */
export function describeUnknownFlag(name: string, known: readonly string[], dashes = '--'): string {
  const meant = nearest(name, known) ?? nearest(name.replace(/^no-/, ''), known);
  return `unknown flag ${dashes}${name}.${meant === undefined ? '' : ` Did you mean --${meant}?`}`;
}

/** Returns the words that are for Holdfast: those before `--`. */
function ownWords(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--');
  return end === -1 ? words : words.slice(0, end);
}

function toKebab(name: string): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
}

/**
 * Refuses mistakes that yargs accepts. A flag with an empty value is most often an unset variable of a script:
 * `--json "$OUT"` must not become a run without a file. `--host ""` or `--no-host` must not become a proxy that listens
 * on all addresses. A flag given twice is ambiguous, and yargs would turn a switch with the value "yes" off. It also
 * turns a text that is no number into NaN.
 */
export function checkFlags(words: readonly string[], flags: Flags): void {
  const own = ownWords(words);
  const seen = new Set<string>();
  for (const [index, word] of own.entries()) {
    refuseOneDash(word, flags);
    const [, typed, value] = /^--([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (typed === undefined) continue;
    if ((value ?? own[index + 1]) === '') throw new UsageError(`--${typed}: its value is empty.`);
    const flag = flagOf(typed, value, flags);
    if (flags.numbers.includes(flag)) refuseNoNumber(flag, value ?? own[index + 1]);
    if (seen.has(flag) && !flags.lists.includes(flag))
      throw new UsageError(`--${flag} is given more than once: give it once.`);
    seen.add(flag);
  }
}

/**
 * Refuses words after `--` for a command without operands; yargs ignores them. `usage` is as in `run <scenarios..>`.
 */
export function checkOperands(words: readonly string[], usage: string): void {
  const end = words.indexOf('--');
  const first = end === -1 ? undefined : words[end + 1];
  if (first === undefined || /[<[]/.test(usage)) return;
  throw new UsageError(`"${first}": ${usage} takes only flags, and words after -- are not flags.`);
}

/** Returns the known name of the flag that a word means. yargs also accepts `--adminPort` and `--no-forwarded`. */
function flagOf(typed: string, value: string | undefined, { known, switches }: Flags): string {
  const flag = toKebab(typed);
  const negated = flag.startsWith('no-') && !known.includes(flag) ? flag.slice('no-'.length) : undefined;
  if (negated !== undefined && known.includes(negated) && !switches.includes(negated))
    throw new UsageError(`--no-${negated}: --${negated} takes a value and cannot be switched off; leave it out.`);
  if (value !== undefined && switches.includes(negated ?? flag) && !['true', 'false'].includes(value))
    throw new UsageError(`--${typed}: expected no value, or true or false, not "${value}".`);
  return negated ?? flag;
}

function refuseNoNumber(flag: string, value: string | undefined): void {
  // Without a value yargs says so itself.
  if (value === undefined || value.startsWith('--') || !Number.isNaN(Number(value))) return;
  throw new UsageError(`--${flag}: expected a number, not "${value}".`);
}

/** Refuses `-port`: to yargs, as to most tools, it is four flags. */
function refuseOneDash(word: string, { known }: Flags): void {
  const [, name = ''] = /^-([A-Za-z][\w-]+)(?:=.*)?$/s.exec(word) ?? [];
  if (known.includes(name)) throw new UsageError(`-${name}: a flag begins with two dashes, as in --${name}.`);
}

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

/** Parses a flag that takes a key of a registry. Throws `UsageError` for another value. */
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

/** The flags of the commands that start a lab: the addresses of store servers of the user's own. */
export type StoreArgs = {
  readonly [store in StoreServerName as (typeof storeDescriptors)[store]['flag']]: string | undefined;
};

export function storeOptions<T>(yargs: Argv<T>): Argv<T & StoreArgs> {
  for (const store of storeNames) {
    const { flag, product, example } = storeDescriptors[store];
    const describe = `a ${product} of yours, such as ${example}; default: one is started`;
    yargs.option(flag, { type: 'string', requiresArg: true, describe });
  }
  // The loop adds exactly the flags of StoreArgs, which yargs cannot infer from it.
  return yargs as Argv<T & StoreArgs>;
}

/** Returns the addresses that were given. Throws `UsageError` for one that cannot be used. */
export function parseStoreUrls(args: StoreArgs): StoreUrls {
  const given: { [store in StoreServerName]?: string } = {};
  for (const store of storeNames) {
    const { flag, problem } = storeDescriptors[store];
    const url = args[flag];
    if (url === undefined) continue;
    const wrong = problem(url);
    if (wrong !== undefined) throw new UsageError(`--${flag} "${maskUrl(url)}": ${wrong}.`);
    given[store] = url;
  }
  return given;
}

/** Returns the flags that give these addresses again, without their passwords. */
export function writeStoreFlags(storeUrls: StoreUrls): string[] {
  return storeNames.flatMap(store => {
    const url = storeUrls[store];
    return url === undefined ? [] : [`--${storeDescriptors[store].flag}`, maskUrl(url)];
  });
}

/** Throws `UsageError` when a store is given for the user's own backends: Holdfast cannot tell them its address. */
export function refuseStoreUrls(args: StoreArgs): void {
  const [store] = storeNames.filter(name => args[storeDescriptors[name].flag] !== undefined);
  if (store === undefined) return;
  throw new UsageError(
    `--${storeDescriptors[store].flag} is for toy backends, but --backend names your own: give one of the two.`,
  );
}
