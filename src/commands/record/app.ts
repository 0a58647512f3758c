import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ModeName } from '../../modes.js';
import { writeHar } from '../../record/har.js';
import type { Typed } from '../../record/recording.js';
import { commandLine } from '../../shared/package.js';
import { messageOf, quoteForShell } from '../../shared/text.js';
import { ScenarioError } from '../../simulator/errors.js';
import { parseScenario } from '../../simulator/scenario/file.js';
import type { Scenario } from '../../simulator/scenario/scenario.js';
import { type StarterApp, writeStarter } from '../../simulator/scenario/starter.js';
import { UsageError } from '../lib/flags.js';
import type { Clicked } from './click.js';

/** The flags that say how the app of a recording is started. */
export interface AppFlags {
  readonly backend?: string | undefined;
  readonly directory?: string | undefined;
  readonly ready?: string | undefined;
  readonly env?: readonly string[] | undefined;
}

/** An app takes longer to start than the toy shop: `npm start` may build first. */
const readyWithin = '30s';

/** Returns what the scenario says under `system`; undefined when no flag says how the app is started. */
export function readSystem(flags: AppFlags, words: readonly string[], outFolder: string): StarterApp['system'] {
  const { backend, directory, ready, env = [] } = flags;
  if (backend !== undefined) {
    const stray = Object.entries({ directory, ready, env: flags.env }).find(([, value]) => value !== undefined)?.[0];
    if (words.length > 0 || stray !== undefined)
      throw new UsageError(
        `--backend is an app that runs already: leave out ${words.length > 0 ? 'the command after --' : `--${stray}`}.`,
      );
    return { target: backend };
  }
  if (words.length === 0) return undefined;
  const [line = '', ...more] = words;
  const folder = path.relative(outFolder, path.resolve(directory ?? '.'));
  return {
    // One word is a line for the shell, such as "python3 app.py {port}" in quotes.
    command: more.length === 0 ? line : words.map(quoteForShell).join(' '),
    directory: folder === '' ? undefined : folder,
    env: Object.fromEntries(env.map(parseVariable)),
    ready: { http: ready ?? '/', within: readyWithin },
  };
}

function parseVariable(given: string): readonly [string, string] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(given) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new UsageError(`--env: found "${given}", expected a variable such as REDIS_URL={redis}.`);
}

/** Stands for the journey until it is known. */
const anyJourney = {
  login: { request: { POST: '/', form: { user: '{user}' } } },
  add: { request: { POST: '/', form: { item: '{token}' } } },
  read: { request: { GET: '/' }, items: '$' },
  anonymous: { status: 401 },
};

/** Returns the scenario that starts the app. Throws `UsageError` for a command or an address that no scenario takes. */
export function parseApp(system: StarterApp['system'], mode: ModeName, file: string): Scenario {
  try {
    return parseScenario(writeStarter({ mode, system, journey: anyJourney, notes: [] }), file);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    const problems = error.message.split('\n').map(line => line.replace(/^.*?:\d+:\d+: /, ''));
    throw new UsageError(`the app: ${problems.join('; ')}`);
  }
}

/** Returns the two values of a flag such as `--users ann,bob`. Throws `UsageError` for anything else. */
export function parsePair(flag: string, given: string | undefined, usual: readonly [string, string]) {
  if (given === undefined) return usual;
  const [first = '', second = '', ...more] = given.split(',').map(text => text.trim());
  if (first !== '' && second !== '' && first !== second && more.length === 0) return [first, second] as const;
  throw new UsageError(
    `--${flag}: found "${given}", expected two different values, such as --${flag} ${usual.join()}.`,
  );
}

/**
 * Returns the names of accounts for the scenario. Two names that differ in 1 and 2 alone are a pattern. Undefined when
 * the names are our own: then the app accepts any name.
 */
export function chooseNames([first, second]: readonly [Typed, Typed], isGiven: boolean): StarterApp['names'] {
  if (!isGiven) return undefined;
  const places = [...first.user.matchAll(/1/g)].map(({ index }) => index);
  const patterns = places.map(at => `${first.user.slice(0, at)}{n}${first.user.slice(at + 1)}`);
  return patterns.find(pattern => pattern.replace('{n}', '2') === second.user) ?? [first.user, second.user];
}

/** The flags that the next command needs again. */
interface RepeatedFlags extends AppFlags {
  readonly mode: string;
  readonly users: string | undefined;
  readonly items: string | undefined;
  readonly answer: readonly string[] | undefined;
  readonly out: string;
}

const namesMax = 1_000;

/** Writes the passes to this file, which only its owner can read. Throws when the file exists already. */
export function writePasses(file: string, { passes, origin }: Clicked): void {
  writeFileSync(file, writeHar(passes, origin), { flag: 'wx', mode: 0o600 });
}

/**
 * Keeps the passes of a recording that has ended with a problem: a person has clicked them. `saved` is the file in which
 * they are already. Otherwise they go into a new file beside `--out`. Returns what to tell the person, and the command to go on.
 */
export function keepPasses(clicked: Clicked, flags: RepeatedFlags, words: readonly string[], saved?: string): string {
  try {
    const file = saved ?? writeNew(path.join(path.dirname(flags.out), 'holdfast-passes.har'), clicked);
    const where = `the passes are kept in ${file}. This file holds passwords and cookies, and only you can read it: delete it when you are done.`;
    return `${where}\ngo on with them, without clicking again: ${describeRepeat(file, flags, words)}\n`;
  } catch (error) {
    return `the passes are lost, because they could not be written: ${messageOf(error)}\n`;
  }
}

function writeNew(wanted: string, clicked: Clicked): string {
  for (let number = 1; ; number += 1) {
    const file = numberName(wanted, number);
    try {
      writePasses(file, clicked);
      return file;
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!isTaken || number >= namesMax) throw error;
    }
  }
}

/** Returns `a.har`, `a-2.har`, `a-3.har` and so on. */
function numberName(file: string, number: number): string {
  const { dir, name, ext } = path.parse(file);
  return number === 1 ? file : path.join(dir, `${name}-${number}${ext}`);
}

/** Returns the command that uses the passes again. `words`: how the app is started. */
function describeRepeat(file: string, flags: RepeatedFlags, words: readonly string[]): string {
  const { backend, directory, ready, env, mode, users, items, answer, out } = flags;
  const given = { mode: mode === 'sticky' ? undefined : mode, backend, directory, ready, env, users, items, answer };
  const again = Object.entries(given).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap(each => [`--${name}`, each]),
  );
  const free = findFree(out);
  const target = free === 'holdfast.yaml' ? [] : ['--out', free];
  const start = words.length === 0 ? [] : ['--', ...words];
  return commandLine('record', '--har', file, ...again, ...target, ...start);
}

/** Returns a name that no file has, for the next scenario. An earlier scenario that does not fit may exist already. */
function findFree(out: string): string {
  for (let number = 1; number < namesMax; number += 1) {
    const file = numberName(out, number);
    if (!existsSync(file)) return file;
  }
  return out;
}
