import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { ModeName } from '../../modes.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { InTurn } from '../../simulator/cluster/lab.js';
import { Interrupted } from '../../simulator/errors.js';
import { makePlan, planDurationMs } from '../../simulator/plan/plan.js';
import { watchShare } from '../../simulator/run/processor-watch.js';
import { type NotApplicable, notApplicableIn } from '../../simulator/scenario/applicable.js';
import type { Scenario } from '../../simulator/scenario/scenario.js';
import { shortForm } from '../../simulator/scenario/short-form.js';
import { simulate } from '../../simulator/simulate.js';
import { chooseTry, judgeRun, needsSecondTry, type TriedRun } from './second-try.js';

/** One scenario in one mode. */
export interface ScenarioInMode {
  readonly scenario: Scenario;
  readonly mode: ModeName;
}

export interface MatrixChoices {
  /** Undefined: the scenario's own. */
  readonly seed: number | undefined;
  /** How many labs run side by side at most, if the machine has room for them. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
  onProgress(progress: MatrixProgress): void;
  /** Called once, before these cells run once more, one after the other. */
  onSecondTry(cells: readonly ScenarioInMode[]): void;
}

export interface MatrixProgress {
  readonly done: number;
  readonly total: number;
  /** Undefined until a first cell is over. */
  readonly leftMs: number | undefined;
  /** The run that has just ended; undefined at the start. */
  readonly judged?: JudgedRun;
  /** How many labs run side by side from here on. */
  readonly atOnce: number;
}

/** A scenario and a mode in which one of its faults has no target. */
export interface EmptyCell {
  readonly scenario: Scenario;
  readonly notApplicable: NotApplicable;
}

/** Every scenario in those of the modes that it is written for, scenario by scenario, in short form. */
export function cellsOf(scenarios: readonly Scenario[], modes: readonly ModeName[]): (ScenarioInMode | EmptyCell)[] {
  return scenarios.flatMap(whole => {
    const scenario = shortForm(whole);
    return modes
      .filter(mode => scenario.modes.includes(mode))
      .map(mode => {
        const notApplicable = notApplicableIn(scenario, mode);
        return notApplicable === undefined ? { scenario, mode } : { scenario, notApplicable };
      });
  });
}

export interface MatrixRuns {
  /** In the order of the cells. A cell is missing when the lab failed before it was over. */
  readonly runs: ReadonlyMap<ScenarioInMode, TriedRun>;
  readonly failure?: unknown;
}

/** Makes one run of a cell and judges it. Tests replace it. */
export type RunCell = (cell: ScenarioInMode, inTurn: InTurn | undefined, signal: AbortSignal) => Promise<JudgedRun>;

/**
 * Runs each cell once, several labs side by side, since most of a run is waiting. A cell that was inconclusive, or for
 * which the machine was too busy, runs once more at the end, alone. A failure stops every lab and loses no cell that was over.
 */
export async function runMatrix(
  cells: readonly ScenarioInMode[],
  choices: MatrixChoices,
  runCell: RunCell = simulateCell(choices),
): Promise<MatrixRuns> {
  const lanes = new RunSlots(choices.atOnce);
  const estimate = new Estimate(cells, choices, lanes.atOnce);
  const first = await runSideBySide(cells, lanes, { choices, estimate, runCell });
  const runs = new Map<ScenarioInMode, TriedRun>();
  for (const cell of cells) {
    const judged = first.judged.get(cell);
    if (judged !== undefined) runs.set(cell, { judged });
  }
  if (first.failure !== undefined) return { runs, failure: first.failure };
  const doubtful = cells.filter(cell => needsMore(first.judged.get(cell), lanes.none));
  estimate.expect(doubtful);
  if (doubtful.length > 0) choices.onSecondTry(doubtful);
  const second = await runSideBySide(doubtful, new RunSlots(1), { choices, estimate, runCell });
  for (const [cell, judged] of second.judged) {
    const before = first.judged.get(cell);
    if (before !== undefined) runs.set(cell, chooseTry(before, judged));
  }
  return { runs, ...(second.failure !== undefined && { failure: second.failure }) };
}

function isDoubtful({ verdict }: JudgedRun): boolean {
  return verdict.word === 'inconclusive' || needsSecondTry(verdict);
}

/** Where even one lab by itself was too much for the machine, a pass that judged a part would not judge more. */
function needsMore(judged: JudgedRun | undefined, machineIsTooSmall: boolean): boolean {
  if (judged === undefined) return false;
  return machineIsTooSmall ? judged.verdict.word === 'inconclusive' : isDoubtful(judged);
}

interface Work {
  readonly choices: MatrixChoices;
  readonly estimate: Estimate;
  readonly runCell: RunCell;
}

async function runSideBySide(cells: readonly ScenarioInMode[], lanes: RunSlots, { choices, estimate, runCell }: Work) {
  const failed = new AbortController();
  const signal = AbortSignal.any([choices.signal, failed.signal]);
  const limit = pLimit(lanes.atOnce);
  // One processor is left to the servers that run.
  const inTurn = pLimit(Math.max(1, availableParallelism() - 1));
  const judged = new Map<ScenarioInMode, JudgedRun>();
  const failures: unknown[] = [];
  const work = async (cell: ScenarioInMode): Promise<void> => {
    if (signal.aborted) throw new Interrupted();
    const among = lanes.atOnce;
    const run = await runCell(cell, among === 1 ? undefined : inTurn, signal);
    judged.set(cell, run);
    lanes.done(among, isDoubtful(run));
    limit.concurrency = lanes.atOnce;
    estimate.done(cell, run, lanes.atOnce);
  };
  const workOrFail = (cell: ScenarioInMode): Promise<void> =>
    work(cell).catch(error => {
      failures.push(error);
      failed.abort();
    });
  // All of them end, also when one fails: no lab may be left.
  await Promise.all(cells.map(cell => limit(workOrFail, cell)));
  // What was interrupted because another one failed explains nothing.
  const cause = failures.find(error => !(choices.signal.aborted || error instanceof Interrupted));
  return { judged, failure: cause ?? failures[0] };
}

function simulateCell({ seed }: MatrixChoices): RunCell {
  return async ({ scenario, mode }, inTurn, signal) => {
    const plan = makePlan(scenario, seed ?? scenario.seed);
    return judgeRun(await simulate(scenario, mode, plan, { signal, inTurn, onProgress: () => {} }));
  };
}

/** How much is done, and how long the rest will take, judged by how long one lab took for the planned time so far. */
class Estimate {
  #toldAt = performance.now();
  #labMs = 0;
  #atOnce: number;
  readonly #onProgress: MatrixChoices['onProgress'];
  #plannedMs: number;
  #doneMs = 0;
  #total: number;
  #done = 0;

  constructor(cells: readonly ScenarioInMode[], { onProgress }: MatrixChoices, atOnce: number) {
    this.#onProgress = onProgress;
    this.#plannedMs = plannedMs(cells);
    this.#total = cells.length;
    this.#atOnce = atOnce;
    this.#tell(atOnce);
  }

  /** Adds cells that run once more. */
  expect(cells: readonly ScenarioInMode[]): void {
    this.#plannedMs += plannedMs(cells);
    this.#total += cells.length;
  }

  done(cell: ScenarioInMode, judged: JudgedRun, atOnce: number): void {
    this.#doneMs += plannedMs([cell]);
    this.#done += 1;
    this.#tell(atOnce, judged);
  }

  #tell(atOnce: number, judged?: JudgedRun): void {
    const nowMs = performance.now();
    this.#labMs += (nowMs - this.#toldAt) * this.#atOnce;
    this.#toldAt = nowMs;
    this.#atOnce = atOnce;
    const leftOfLabMs = (this.#labMs / this.#doneMs) * (this.#plannedMs - this.#doneMs);
    const leftMs = this.#doneMs === 0 ? undefined : leftOfLabMs / atOnce;
    this.#onProgress({ done: this.#done, total: this.#total, leftMs, atOnce, ...(judged && { judged }) });
  }
}

/** Booting and stopping a lab, about. */
const aroundMs = 2_000;

function plannedMs(cells: readonly ScenarioInMode[]): number {
  return cells.reduce((sum, { scenario }) => sum + planDurationMs(scenario) + aroundMs, 0);
}

/** More doubtful cells than this share, and more than one, are not the chance of a moment. */
const doubtfulShareMax = 1 / 6;
/** More of the processors than this must not be used on average: at times labs have their busiest moments together. */
const usedShareMax = 0.85;
/** So many good cells in each lane show that there may be room for one more. */
const calmRounds = 4;

/**
 * How many labs run side by side. It begins with half as many as there may be. Once it knows what they use, it goes on
 * with as many as the processors have room for. When too many cells are doubtful, it goes on with one lab fewer. After many
 * good cells it tries one more: what disturbed the labs may have been another program that has ended.
 */
export class RunSlots {
  readonly #max: number;
  readonly #watch: () => () => number;
  #usedShare: () => number;
  #atOnce: number;
  #measured = false;
  #done = 0;
  #doubtful = 0;

  /** `watch`: for tests. */
  constructor(max: number, watch = watchShare) {
    this.#max = max;
    this.#watch = watch;
    this.#usedShare = watch();
    this.#atOnce = Math.ceil(max / 2);
  }

  get atOnce(): number {
    return this.#atOnce;
  }

  /** Even one lab is too much for the machine. */
  get none(): boolean {
    return this.#atOnce === 1 && this.#tooMany;
  }

  /** `begunAmong`: how many labs there were when it began. `isDoubtful`: it said less than a run alone might say. */
  done(begunAmong: number, isDoubtful: boolean): void {
    if (begunAmong !== this.#atOnce) return;
    this.#done += 1;
    if (isDoubtful) this.#doubtful += 1;
    if (this.#tooMany) this.#change(Math.max(1, this.#atOnce - 1));
    else if (!this.#measured && this.#done >= 2 * this.#atOnce) {
      this.#measured = true;
      this.#change(this.#asManyAsFit());
    } else if (this.#doubtful === 0 && this.#done >= calmRounds * this.#atOnce) {
      this.#change(Math.min(this.#atOnce + 1, this.#asManyAsFit()));
    }
  }

  #change(atOnce: number): void {
    if (atOnce === this.#atOnce) return;
    this.#atOnce = atOnce;
    this.#done = 0;
    this.#doubtful = 0;
    this.#usedShare = this.#watch();
  }

  #asManyAsFit(): number {
    const room = Math.floor((usedShareMax * this.#atOnce) / this.#usedShare());
    return Math.min(this.#max, Math.max(this.#atOnce, room));
  }

  get #tooMany(): boolean {
    return this.#doubtful > 1 && this.#doubtful > this.#done * doubtfulShareMax;
  }
}
