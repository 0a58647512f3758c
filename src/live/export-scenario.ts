import type { ModeName } from '../modes.js';
import { count, countNoun, duration, seconds } from '../report/numbers.js';
import type { Findings } from '../simulator/checker/findings.js';
import { phaseNames, type RunRecord } from '../simulator/history/records.js';
import type { FaultSpec, Scenario } from '../simulator/scenario/scenario.js';
import { phaseMsMax } from '../simulator/scenario/values.js';
import { type FileComment, writeScenario } from '../simulator/scenario/write.js';
import { areStruckAlike, commonTarget, type Excerpt, excerptOf, type RepeatedStrike } from './excerpt.js';
import { arrivalsMsOf } from './live-users.js';
import { type SideName, sideNames } from './protocol.js';

/** One side of a session, with what the checker found in it. */
export interface FoundSide {
  readonly run: RunRecord;
  readonly findings: Findings;
}

/** The sides of a session. A side that never ran is absent. */
export type FoundSides = { readonly [name in SideName]?: FoundSide };

/** A scenario file. A scenario strikes all its modes alike, so sides that were struck differently need two files. */
export interface ScenarioText {
  readonly name: 'scenario.yaml' | 'scenario-right.yaml';
  readonly text: string;
}

/**
 * Returns what was clicked in a live session as scenario files: the same system, users and strikes, and what happened
 * as expectations. `lab` is the scenario of the live lab. Pure; the parser accepts each file as it is.
 */
export function exportScenarios(lab: Scenario, sides: FoundSides): readonly ScenarioText[] {
  const own = sideNames.flatMap(name => {
    const side = sides[name];
    return side === undefined ? [] : [{ name, side, excerpt: excerptOf(side.run, side.findings, lab.system) }];
  });
  const [first, second] = own;
  if (first === undefined) return [];
  const isOne = second === undefined || areStruckAlike(first.excerpt, second.excerpt);
  const parts = isOne ? [own] : own.map(one => [one]);
  const isSameMode = first.excerpt.mode === second?.excerpt.mode;
  return parts.map((part, index) => {
    const excerpts = part.map(({ excerpt }) => excerpt);
    const suffix = !isOne && isSameMode ? `-${part[0]?.name}` : '';
    const note = isOne ? [] : [describeHalf(part[0]?.name, excerpts[0]?.mode), ''];
    const usersMax = Math.max(...part.map(({ side }) => countUsers(side.run)));
    return {
      name: index === 0 ? 'scenario.yaml' : 'scenario-right.yaml',
      text: write(lab, excerpts, { suffix, note, usersMax }),
    };
  });
}

function describeHalf(side: SideName | undefined, mode: ModeName | undefined): string {
  const other = side === 'left' ? 'right side is in scenario-right.yaml' : 'left side is in scenario.yaml';
  return `The two sides were struck differently, and a scenario strikes all its modes alike. This file repeats the ${side} side (${mode}). The ${other}.`;
}

function countUsers({ operations }: RunRecord): number {
  const users = new Set<string>();
  for (const { user } of operations) users.add(user);
  return Math.max(1, users.size);
}

interface Choices {
  /** End of the name of the scenario. */
  readonly suffix: string;
  readonly note: readonly string[];
  readonly usersMax: number;
}

function write(lab: Scenario, excerpts: readonly Excerpt[], { suffix, note, usersMax }: Choices): string {
  const [first] = excerpts;
  const modes = [...new Set(excerpts.map(({ mode }) => mode))];
  const { phases, comments: ofPhases } = phasesOf(excerpts, usersMax);
  const { expect, comments: ofExpect } = expectationsOf(excerpts, lab.users.journey === 'shop');
  const faults = faultsOf(excerpts);
  const leftOut = [...new Set(excerpts.flatMap(excerpt => excerpt.leftOut))];
  return writeScenario(
    {
      ...lab,
      name: `live-${modes.join('-')}${suffix}`,
      why: `What was clicked in a session of the live lab that began at ${first?.startedAt.replace(/\.\d+Z$/, 'Z')}. Every expectation says what that session showed.`,
      seed: first?.seed ?? lab.seed,
      modes,
      system: withSpares(lab.system, faults),
      users: { ...lab.users, arrivals: arrivalsOf(usersMax) },
      phases,
      faults,
      expect,
    },
    [
      { path: [], above: [...note, ...intro] },
      { path: ['seed'], beside: 'the same users, who do the same things' },
      {
        path: ['users'],
        above: [`All ${countNoun(usersMax, 'user')} of the session come within ${seconds(arrivalsMsOf(usersMax))}.`],
      },
      ...ofPhases,
      { path: ['faults'], above: describeLeftOut(leftOut) },
      ...faults.map((fault, index) => ({ path: ['faults', index], beside: describeTime(excerpts, index, fault) })),
      ...ofExpect,
    ],
  );
}

const intro = [
  'What was clicked in the live lab, as a scenario: the same system, the same users, the same strikes.',
  'Lines with "observed" say what the session showed. "holdfast run" of this file shows the same again.',
];

const linesMax = 12;

function describeLeftOut(lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const shown = lines.slice(0, linesMax).map(line => `- ${shorten(line)}`);
  return ['Left out:', ...shown, ...(lines.length > linesMax ? [`- and ${lines.length - linesMax} more.`] : [])];
}

function shorten(line: string): string {
  return line.length > 300 ? `${line.slice(0, 300)}...` : line;
}

function arrivalsOf(usersMax: number): Scenario['users']['arrivals'] {
  const arrivalsMs = arrivalsMsOf(usersMax);
  const ratePerSecond = (1_000 * usersMax) / arrivalsMs;
  return { ratePerSecond, forMs: arrivalsMs, process: 'uniform', maxActive: usersMax };
}

/** Adds the spare backends of the live lab that a strike has started. */
function withSpares(system: Scenario['system'], faults: readonly FaultSpec[]): Scenario['system'] {
  const numbers = faults.flatMap(({ target }) =>
    [...target.matchAll(/backend-(\d+)/g)].map(([, digits]) => Number(digits)),
  );
  const { backends } = system;
  const spare = Math.max(backends.spare, ...numbers.map(number => number - backends.count));
  return { ...system, backends: { ...backends, spare } };
}

/** A time before the faults that shows how the system works without them. A longer one shows nothing more. */
const baselineMsMin = 1_000;
const baselineMsMax = 30_000;
/** A strike that was active at the end lasts at least this long, so that users can notice it. */
const activeMsMin = 2_000;
/** The report measures the recovery only if load goes on for two seconds after the last healing. */
const recoveryMs = 3_000;
const quiesceMs = 500;

function phasesOf(
  excerpts: readonly Excerpt[],
  usersMax: number,
): Pick<Scenario, 'phases'> & { readonly comments: readonly FileComment[] } {
  const arrivalsMs = arrivalsMsOf(usersMax);
  const struck = excerpts.some(({ strikes }) => strikes.length > 0);
  const calmMs = Math.max(...excerpts.map(({ faultsFromMs, endMs }) => (struck ? faultsFromMs : endMs))) - arrivalsMs;
  const baselineMs = roundUp(Math.min(baselineMsMax, Math.max(baselineMsMin, calmMs)));
  const neededMs = Math.max(
    0,
    ...excerpts.flatMap(excerpt => excerpt.strikes.map(strike => strikeEndMs(strike, excerpt))),
  );
  const faultsMs = Math.min(phaseMsMax, roundUp(neededMs));
  const comment = (phase: string, beside: string): FileComment => ({ path: ['phases', phase], beside });
  return {
    phases: { warmupMs: arrivalsMs, baselineMs, faultsMs, recoveryMs, quiesceMs },
    comments: [
      comment('warmup', 'the users come'),
      comment(
        'baseline',
        calmMs > baselineMsMax
          ? `nothing was struck for ${seconds(calmMs)}; this much is enough`
          : 'nothing is struck yet',
      ),
      comment('faults', describeFaultsPhase(struck, neededMs)),
      comment('recovery', 'the users go on'),
      comment('quiesce', 'the requests in flight end; then every user reads its cart once more'),
    ],
  };
}

function describeFaultsPhase(struck: boolean, neededMs: number): string {
  if (!struck) return 'nothing was struck';
  if (neededMs <= phaseMsMax) return 'the strikes, at their times';
  return `the longest that a file allows; the strikes lasted ${seconds(neededMs)}`;
}

/** Returns when a strike was over, after the start of the faults phase. */
function strikeEndMs({ record, atMs, forMs }: RepeatedStrike, { faultsFromMs, endMs }: Excerpt): number {
  if (forMs === undefined) return Math.max(endMs - faultsFromMs, atMs + activeMsMin);
  return Math.max(atMs + forMs, (record.healedMs ?? 0) - faultsFromMs);
}

function roundUp(ms: number): number {
  return Math.ceil(ms / 100) * 100;
}

function faultsOf([first, second]: readonly Excerpt[]): FaultSpec[] {
  const taken = new Set<string>();
  return (first?.strikes ?? []).map((strike, index): FaultSpec => {
    const { record, atMs, forMs } = strike;
    const other = second?.strikes[index];
    return {
      id: nameFault(record.id, taken),
      trigger: { atMs },
      do: record.fault,
      target: (other && commonTarget(strike, other)) ?? record.target,
      ...(record.options !== undefined && { options: record.options }),
      ...(forMs !== undefined && { forMs }),
    };
  });
}

const idLengthMax = 40;

/** Returns an id that a scenario file accepts, and that no earlier fault has. */
function nameFault(id: string, taken: Set<string>): string {
  const plain = id
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '');
  for (let number = 1; ; number += 1) {
    const suffix = number === 1 ? '' : `-${number}`;
    const name = `${(plain || 'strike').slice(0, idLengthMax - suffix.length)}${suffix}`;
    if (taken.has(name) || phaseNames.some(phase => phase === name)) continue;
    taken.add(name);
    return name;
  }
}

function describeTime([first]: readonly Excerpt[], index: number, { forMs }: FaultSpec): string {
  const strike = first?.strikes[index];
  const at = `${seconds(strike?.record.requestedMs ?? 0)} after the start of the session`;
  return forMs === undefined ? `${at}; it was still active at the end` : at;
}

/** One metric, and the count of it in a session. */
interface Observation {
  readonly metric: string;
  readonly seen: number;
  /** Whether the session could show it. If not, a count of 0 means nothing. */
  readonly isSure: boolean;
  /** After "observed: ". */
  readonly words: string;
}

type Found = Pick<Excerpt, 'findings' | 'strikes'>;

function observeLosses({ findings: { users, writes }, strikes }: Found): Observation[] {
  const isSure = !strikes.some(({ isHalfSeen }) => isHalfSeen);
  const of = users.exposed === null ? countNoun(users.total, 'user') : `${countNoun(users.exposed, 'exposed user')}`;
  const unproven = writes.missing > writes.lost ? ` missing, ${count(writes.lost)} of them proven lost,` : '';
  return [
    { metric: 'users.loggedOut', seen: users.loggedOut, isSure, words: `${count(users.loggedOut)} of ${of}` },
    {
      metric: 'writes.lost',
      seen: Math.max(writes.lost, writes.missing),
      isSure,
      words: `${count(Math.max(writes.lost, writes.missing))}${unproven} of ${count(writes.acknowledged)} acknowledged`,
    },
  ];
}

/** Returns the counts of what is wrong in every mode. The journey of another app may not show them. */
function observeDefects({ findings: { users, writes } }: Found): Observation[] {
  const seen = {
    'users.identitySwapped': users.identitySwapped,
    'users.logoutNotHonoured': users.logoutNotHonoured,
    'writes.phantom': writes.phantom,
    'writes.duplicated': writes.duplicated,
    'writes.resurrected': writes.resurrected,
  };
  return Object.entries(seen).map(([metric, times]) => ({ metric, seen: times, isSure: true, words: count(times) }));
}

type Expect = Scenario['expect'];

function expectationsOf(
  excerpts: readonly Excerpt[],
  isShop: boolean,
): { readonly expect: Expect; readonly comments: readonly FileComment[] } {
  const modes = [...new Set(excerpts.map(({ mode }) => mode))];
  const defects = isShop ? mergeObservations(excerpts, observeDefects) : { lines: [], notes: [] };
  const groups = [
    { key: 'any', ...defects, above: ['In every mode:'] },
    ...modes.map(mode => {
      const own = excerpts.filter(excerpt => excerpt.mode === mode);
      const losses = mergeObservations(own, observeLosses);
      return { key: mode, ...losses, above: own.map(describeRest) };
    }),
  ];
  const expect: Expect = {
    any: [],
    ...Object.fromEntries(groups.map(({ key, lines }) => [key, lines.map(({ line }) => line)])),
  };
  const comments = groups.flatMap(({ key, lines, notes, above }): FileComment[] => [
    { path: ['expect', key], above: [...above, ...notes] },
    ...lines.map(({ beside }, index) => ({ path: ['expect', key, index], beside })),
  ]);
  return { expect, comments };
}

interface Lines {
  readonly lines: readonly { readonly line: string; readonly beside: string }[];
  /** Why a line is missing. */
  readonly notes: readonly string[];
}

/** Makes one expectation for each metric on which all sides agree. A second run can meet it: `> 0` or `== 0`. */
function mergeObservations(excerpts: readonly Excerpt[], observe: (found: Found) => readonly Observation[]): Lines {
  const [first = [], ...others] = excerpts.map(observe);
  const lines: { line: string; beside: string }[] = [];
  const notes: string[] = [];
  first.forEach(({ metric }, index) => {
    const all = [first, ...others].flatMap(side => side[index] ?? []);
    const beside = `observed: ${[...new Set(all.map(({ words }) => words))].join(' and ')}`;
    if (all.every(({ seen }) => seen > 0)) lines.push({ line: `${metric} > 0`, beside });
    else if (all.every(({ seen, isSure }) => seen === 0 && isSure)) lines.push({ line: `${metric} == 0`, beside });
    else notes.push(`No line for ${metric} (${beside}): ${describeDoubt(all)}`);
  });
  return { lines, notes };
}

function describeDoubt(all: readonly Observation[]): string {
  if (all.some(({ seen }) => seen > 0)) return 'the sides did not agree.';
  return 'the end of a strike was not seen. The store was not healed, or the history was cleared after the strike.';
}

/** Describes what no expectation demands, because it differs from run to run. */
function describeRest({ findings: { requests, latencyMs } }: Excerpt): string {
  const { failed, unknown } = requests;
  return `Also observed: ${countNoun(failed, 'request')} failed, ${count(unknown)} ended unknown, response time p99 ${duration(latencyMs.p99)}.`;
}
