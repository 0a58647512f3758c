import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { ModeName } from '../../modes.js';
import { judgeRun } from '../../simulator/checker/judge-run.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { InTurn } from '../../simulator/cluster/lab.js';
import { Interrupted } from '../../simulator/errors.js';
import { makePlan, planDurationMs } from '../../simulator/plan/plan.js';
import { measureProcessorShare } from '../../simulator/run/processor-pressure.js';
import {
  buildShortForm,
  findMissingTarget,
  type NotApplicable,
  type Scenario,
} from '../../simulator/scenario/scenario.js';
import { simulate } from '../../simulator/simulate.js';
import { chooseTry, needsSecondTry, type TriedRun } from './run-scenario.js';

/** One scenario in one mode. */
export interface ScenarioInMode {
  readonly scenario: Scenario;
  readonly mode: ModeName;
}

export interface MatrixChoices {
  /** Undefined: the scenario's own. */
  readonly seed: number | undefined;
  /** Maximum number of concurrent labs; fewer when the machine has no room for them. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
  onProgress(progress: MatrixProgress): void;
  /** Called once, before these cells run again, one after the other. */
  onSecondTry(cells: readonly ScenarioInMode[]): void;
}

export interface MatrixProgress {
  readonly done: number;
  readonly total: number;
  /** Undefined until the first cell has finished. */
  readonly leftMs: number | undefined;
  /** The run that has just ended; undefined at the start. */
  readonly judged?: JudgedRun;
  /** Number of concurrent labs from now on. */
  readonly atOnce: number;
}

/** A scenario and a mode in which one of its faults cannot be run. */
export interface EmptyCell {
  readonly scenario: Scenario;
  readonly notApplicable: NotApplicable;
}

/** Lists the cells: every scenario, in short form, in each of the modes that it names. `noNetwork`: see
 * `findMissingTarget`. */
export function cellsOf(
  scenarios: readonly Scenario[],
  modes: readonly ModeName[],
  noNetwork?: string,
): (ScenarioInMode | EmptyCell)[] {
  return scenarios.flatMap(whole => {
    const scenario = buildShortForm(whole);
    return modes
      .filter(mode => scenario.modes.includes(mode))
      .map(mode => {
        const notApplicable = findMissingTarget(scenario, mode, noNetwork);
        return notApplicable === undefined ? { scenario, mode } : { scenario, notApplicable };
      });
  });
}

export interface MatrixRuns {
  /** In the order of the cells. A cell is missing when the lab failed before the cell finished. */
  readonly runs: ReadonlyMap<ScenarioInMode, TriedRun>;
  readonly failure?: unknown;
}

/** Makes one run of a cell and judges it. Tests replace it. */
export type RunCell = (cell: ScenarioInMode, inTurn: InTurn | undefined, signal: AbortSignal) => Promise<JudgedRun>;

/**
 * Runs each cell once, with several concurrent labs, because a run mostly waits. At the end a cell runs again, alone,
 * when it was inconclusive or the machine was too busy. A failure stops every lab and keeps the finished cells.
 */
export async function runMatrix(
  cells: readonly ScenarioInMode[],
  choices: MatrixChoices,
  runCell: RunCell = simulateCell(choices),
): Promise<MatrixRuns> {
  const slots = new RunSlots(choices.atOnce);
  const estimate = new Estimate(cells, choices, slots.atOnce);
  const first = await runSideBySide(cells, slots, { choices, estimate, runCell });
  const runs = new Map<ScenarioInMode, TriedRun>();
  for (const cell of cells) {
    const judged = first.judged.get(cell);
    if (judged !== undefined) runs.set(cell, { judged });
  }
  if (first.failure !== undefined) return { runs, failure: first.failure };
  const doubtful = cells.filter(cell => needsMore(first.judged.get(cell), slots.isMachineTooSmall));
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

/**
 * Decides whether a cell runs again. On a machine too small for one lab, a pass that judged only a part would not judge
 * more the second time.
 */
function needsMore(judged: JudgedRun | undefined, machineIsTooSmall: boolean): boolean {
  if (judged === undefined) return false;
  return machineIsTooSmall ? judged.verdict.word === 'inconclusive' : isDoubtful(judged);
}

interface Work {
  readonly choices: MatrixChoices;
  readonly estimate: Estimate;
  readonly runCell: RunCell;
}

async function runSideBySide(cells: readonly ScenarioInMode[], slots: RunSlots, { choices, estimate, runCell }: Work) {
  const failed = new AbortController();
  const signal = AbortSignal.any([choices.signal, failed.signal]);
  const limit = pLimit(slots.atOnce);
  // One processor stays free for the running servers.
  const inTurn = pLimit(Math.max(1, availableParallelism() - 1));
  const judged = new Map<ScenarioInMode, JudgedRun>();
  const failures: unknown[] = [];
  const work = async (cell: ScenarioInMode): Promise<void> => {
    if (signal.aborted) throw new Interrupted();
    const among = slots.atOnce;
    const run = await runCell(cell, among === 1 ? undefined : inTurn, signal);
    judged.set(cell, run);
    slots.done(among, isDoubtful(run));
    limit.concurrency = slots.atOnce;
    estimate.done(cell, run, slots.atOnce);
  };
  const workOrFail = (cell: ScenarioInMode): Promise<void> =>
    work(cell).catch(error => {
      failures.push(error);
      failed.abort();
    });
  // Waits for every lab even when one fails, so that no lab is left running.
  await Promise.all(cells.map(cell => limit(workOrFail, cell)));
  // A run that was interrupted because another one failed is not the cause.
  const cause = failures.find(error => !(choices.signal.aborted || error instanceof Interrupted));
  return { judged, failure: cause ?? failures[0] };
}

function simulateCell({ seed }: MatrixChoices): RunCell {
  return async ({ scenario, mode }, inTurn, signal) => {
    const plan = makePlan(scenario, seed ?? scenario.seed);
    return judgeRun(await simulate(scenario, mode, plan, { signal, inTurn, onProgress: () => {} }));
  };
}

/** Reports the progress. Estimates the remaining time: finished cells show how much longer than planned a cell takes. */
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

/** Approximate time to start and stop a lab. */
const aroundMs = 2_000;

function plannedMs(cells: readonly ScenarioInMode[]): number {
  return cells.reduce((sum, { scenario }) => sum + planDurationMs(scenario) + aroundMs, 0);
}

/** A larger share of doubtful cells, and more than one of them, is not due to chance. */
const doubtfulShareMax = 1 / 6;
/** Maximum average use of the processors. The rest is for moments in which several labs are busy at once. */
const usedShareMax = 0.85;
/** Good cells per slot after which one more slot is tried. */
const calmRounds = 4;

/**
 * Decides how many labs run at the same time. It starts with half of the maximum. After the first cells it knows the
 * load of a lab and uses as many labs as the processors have room for. When too many cells are doubtful, it uses one
 * lab fewer. After many good cells it tries one more, because a program that disturbed the labs may have ended.
 */
export class RunSlots {
  readonly #max: number;
  readonly #watch: () => () => number;
  #usedShare: () => number;
  #atOnce: number;
  #measured = false;
  #done = 0;
  #doubtful = 0;

  /** Tests replace `watch`. */
  constructor(max: number, watch = measureProcessorShare) {
    this.#max = max;
    this.#watch = watch;
    this.#usedShare = watch();
    this.#atOnce = Math.ceil(max / 2);
  }

  get atOnce(): number {
    return this.#atOnce;
  }

  /** Whether even one lab is too much for the machine. */
  get isMachineTooSmall(): boolean {
    return this.#atOnce === 1 && this.#tooMany;
  }

  /**
   * Records a finished cell. `begunAmong` is the number of labs when it began. A doubtful cell runs again, alone.
   */
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
