import path from 'node:path';
import type { SessionOptions } from '../../live/live-session.js';
import type { LiveSettings, SideName } from '../../live/protocol.js';
import { isModeName, type ModeName, modeNames } from '../../modes.js';
import { ownVersion } from '../../shared/package.js';
import { parseDuration } from '../../shared/units.js';
import { unknownName } from '../../shared/unknown-name.js';
import { readHistory } from '../../simulator/history/file.js';
import type { ListedRun } from '../../simulator/history/records.js';
import { parseScenario, readScenario } from '../../simulator/scenario/file.js';
import type { Scenario } from '../../simulator/scenario/scenario.js';
import { askedModesOf, findScenario } from '../lib/asked-scenario.js';
import { parseCount, parseModes, UsageError } from '../lib/flags.js';
import { checkOutputs } from '../lib/output.js';
import { historiesIn } from '../lib/run-folder.js';

export const defaults = { modes: ['sticky', 'redis'], users: 64, backends: 3, seed: 42 } as const;
export const userCounts = { min: 8, max: 400 } as const;
/** One key of the page selects each backend. */
export const backendsMax = 9;
const forMsMax = 24 * 60 * 60 * 1000;

export interface LiveArgs {
  readonly modes: readonly string[] | undefined;
  readonly users: number | undefined;
  readonly backends: number | undefined;
  readonly seed: number | undefined;
  readonly scenario: string | undefined;
  readonly replay: readonly string[] | undefined;
  readonly port: number;
  readonly open: boolean;
  readonly for: string | undefined;
  readonly out: string;
}

/** The parts of a session that depend on where its sides come from. */
export interface LiveSetup extends Pick<SessionOptions, 'settings' | 'modes' | 'makeSide'> {
  /** The scenario of the running systems. Undefined when recorded histories are played. */
  readonly lab?: Scenario;
}

/** Parses the value of `--for`. Throws `UsageError` for another value. `10m` is ten minutes, too. */
export function parseFor(given: string): number {
  const ms = parseDuration(given.replace(/^([\d.]+)m$/, '$1min'));
  if (ms !== undefined && ms > 0 && ms <= forMsMax) return ms;
  throw new UsageError(`--for "${given}": expected a duration up to 24h, such as 90s or 10min.`);
}

/** Checks the flags of a session with running systems. Rejects with `UsageError` or `ScenarioError`. */
export async function setUpLab(args: LiveArgs, signal: AbortSignal): Promise<LiveSetup> {
  const lab = args.scenario === undefined ? planLab(args) : await readLab(args, args.scenario);
  const [left, right] = chooseModes(lab, args.modes);
  const users = parseCount('users', args.users ?? usersIn(lab), userCounts.min, userCounts.max);
  await checkOutputs({}, args.out, []);
  const { LiveRun } = await import('../../live/live-run.js');
  const folder = path.join(args.out, 'live');
  return {
    lab,
    settings: { ...settingsOf(lab.seed, users, lab.modes), isReplay: false, folder },
    modes: { left, ...(right !== undefined && { right }) },
    makeSide: (_name, { mode, ...wish }) => {
      if (!isModeName(mode)) throw new TypeError(`the mode ${mode} was not checked`);
      return new LiveRun({ ...wish, scenario: lab, mode, signal, versions: { holdfast: ownVersion } });
    },
  };
}

function planLab(args: LiveArgs): Scenario {
  const users = parseCount('users', args.users ?? defaults.users, userCounts.min, userCounts.max);
  const backends = parseCount('backends', args.backends ?? defaults.backends, 1, backendsMax);
  return buildLabScenario(users, backends, seedOf(args) ?? defaults.seed);
}

/** Users arrive within this time. */
const arrivalsSeconds = 2;

/** Returns the system and the users of `holdfast live` without a scenario file. No fault strikes by itself. */
function buildLabScenario(users: number, backends: number, seed: number): Scenario {
  return parseScenario(
    `name: live
why: Two systems under the same users. You break a server, and see what the users lose.
seed: ${seed}
modes: [${modeNames.join(', ')}]
system:
  backends: { count: ${backends}, spare: 1 }
  proxy: { health: { every: 500ms, timeout: 1s, fall: 2, rise: 1 }, policy: round-robin }
users:
  arrivals: { rate: ${users / arrivalsSeconds}/s, for: ${arrivalsSeconds}s, max-active: ${users} }
  think: { median: 900ms, p95: 2500ms }
  timeout: 2s
phases: { warmup: ${arrivalsSeconds}s, baseline: 2s, faults: 10s, recovery: 2s, quiesce: 200ms }
`,
    'live.yaml',
  );
}

async function readLab(args: LiveArgs, file: string): Promise<Scenario> {
  if (args.backends !== undefined) {
    throw new UsageError('--backends and --scenario exclude each other: the file has the number of backends.');
  }
  const scenario = await readScenario(findScenario(file));
  return { ...scenario, seed: seedOf(args) ?? scenario.seed };
}

function seedOf({ seed }: LiveArgs): number | undefined {
  return seed === undefined ? undefined : parseCount('seed', seed, 0, Number.MAX_SAFE_INTEGER);
}

function namesIn(given: readonly string[] = []): readonly string[] {
  return given.flatMap(text => text.split(','));
}

/** Returns the modes of the two sides, or of one. By default they are those that `holdfast start` compares first. */
function chooseModes(lab: Scenario, given: readonly string[] | undefined): readonly [ModeName, ModeName?] {
  const asked = given === undefined ? undefined : parseModes(given);
  if (asked !== undefined && asked.length < namesIn(given).length) {
    throw new UsageError(
      '--modes: found a mode twice, expected one mode or two different modes, such as --modes sticky,redis.',
    );
  }
  const { modes: applicable } = askedModesOf(lab, asked);
  const preferred = defaults.modes.filter(mode => applicable.includes(mode));
  const [left, right, third] = asked ?? [...new Set([...preferred, ...applicable])].slice(0, 2);
  if (left === undefined || third !== undefined) {
    throw new UsageError('--modes: expected one or two modes, such as --modes sticky,redis.');
  }
  return right === undefined ? [left] : [left, right];
}

function usersIn({ users: { arrivals } }: Scenario): number {
  const all = Math.min(arrivals.maxActive, Math.round((arrivals.ratePerSecond * arrivals.forMs) / 1000));
  return Math.min(userCounts.max, Math.max(userCounts.min, all));
}

function settingsOf(seed: number, users: number, modes: readonly string[]): Omit<LiveSettings, 'isReplay'> {
  return { seed, users, usersMin: userCounts.min, usersMax: userCounts.max, modes };
}

/** Reads the histories of a session that plays them. Rejects with `UsageError` or `HistoryFileError`. */
export async function setUpReplay(args: LiveArgs, places: readonly string[]): Promise<LiveSetup> {
  for (const flag of ['scenario', 'users', 'backends', 'seed'] as const) {
    if (args[flag] === undefined) continue;
    throw new UsageError(`--replay and --${flag} exclude each other: a recorded history has its own. Leave out one.`);
  }
  const files = (await Promise.all(places.map(historiesIn))).flat();
  const runs = (await Promise.all(files.map(readHistory))).flat();
  const [left, right, third] = chooseRuns(runs, args.modes);
  if (left === undefined) throw new UsageError(`--replay: ${files.join(', ')} holds no run.`);
  if (third !== undefined) throw new UsageError(describeTooMany(runs));
  const { PlayedRun, replaySettings } = await import('../../live/played-run.js');
  const played: Readonly<Record<SideName, ListedRun | undefined>> = { left, right };
  return {
    settings: replaySettings(left, right),
    modes: { left: left.header.mode, ...(right !== undefined && { right: right.header.mode }) },
    makeSide: name => new PlayedRun(played[name] ?? left),
  };
}

/** Returns the runs to play: those of `--modes`, or all. */
function chooseRuns(runs: readonly ListedRun[], given: readonly string[] | undefined): readonly ListedRun[] {
  if (given === undefined) return runs;
  const known = runs.map(({ header }) => header.mode);
  return namesIn(given).map(mode => {
    const run = runs.find(({ header }) => header.mode === mode);
    if (run === undefined) throw new UsageError(`--modes: ${unknownName('mode of these histories', mode, known)}`);
    return run;
  });
}

function describeTooMany(runs: readonly ListedRun[]): string {
  const modes = runs.map(({ header }) => header.mode);
  return `--replay: found ${modes.length} runs (${modes.join(', ')}), expected one or two. Choose with --modes ${modes.slice(0, 2).join()}.`;
}
