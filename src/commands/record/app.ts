import path from 'node:path';
import type { ModeName } from '../../modes.js';
import type { Typed } from '../../record/recording.js';
import { quoteForShell } from '../../shared/text.js';
import { ScenarioError } from '../../simulator/errors.js';
import { parseScenario } from '../../simulator/scenario/file.js';
import type { Scenario } from '../../simulator/scenario/scenario.js';
import { type StarterApp, writeStarter } from '../../simulator/scenario/starter.js';
import { UsageError } from '../lib/errors.js';

/** How the app of a recording is started, as the flags say it. */

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
