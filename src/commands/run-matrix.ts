import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { ModeName } from '../modes.js';
import type { JudgedRun } from '../simulator/checker/verdict.js';
import type { InTurn } from '../simulator/cluster/lab.js';
import { Interrupted } from '../simulator/errors.js';
import { makePlan, planDurationMs } from '../simulator/plan.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { shortForm } from '../simulator/scenario/short-form.js';
import { simulate } from '../simulator/simulate.js';
import { judgeRun } from './judge-run.js';
import { Lanes } from './lanes.js';

/** One scenario in one mode. */
export interface Cell {
  readonly scenario: Scenario;
  readonly mode: ModeName;
}

export interface MatrixChoices {
  /** Undefined: the scenario's own. */
  readonly seed: number | undefined;
  /** So many labs run side by side at most, if the machine has room for them. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
  onProgress(progress: MatrixProgress): void;
}

export interface MatrixProgress {
  readonly done: number;
  readonly total: number;
  /** Undefined until something is known to estimate it by. */
  readonly leftMs: number | undefined;
  /** What has just come to its end; undefined at the start. */
  readonly judged?: JudgedRun;
  /** So many labs run side by side from here on. */
  readonly atOnce: number;
}

/** The cells of a matrix: each scenario in those of the modes that it is written for. */
export function cellsOf(scenarios: readonly Scenario[], modes: readonly ModeName[]): Cell[] {
  return scenarios.flatMap(scenario => {
    const short = shortForm(scenario);
    return modes.filter(mode => scenario.modes.includes(mode)).map(mode => ({ scenario: short, mode }));
  });
}

/**
 * Runs each cell once, several labs side by side: most of a run is waiting. Where that made the driver late or the servers
 * wait, or a cell was inconclusive for another reason, it is run once more at the end, alone. In the order of `cells`.
 * Rejects like `simulate`; then all labs have been stopped.
 */
export async function runMatrix(cells: readonly Cell[], choices: MatrixChoices): Promise<JudgedRun[]> {
  const lanes = new Lanes(choices.atOnce);
  const estimate = new Estimate(cells, choices, lanes.atOnce);
  const judged = await eachOf(cells, lanes, choices, estimate);
  const doubtful = cells.filter((_, index) => judged[index]?.verdict.word === 'inconclusive');
  const again = lanes.none ? [] : doubtful;
  estimate.expect(again);
  const second = await eachOf(again, new Lanes(1), choices, estimate);
  return cells.map((cell, index) => second[again.indexOf(cell)] ?? judged[index]).filter(run => run !== undefined);
}

async function eachOf(cells: readonly Cell[], lanes: Lanes, choices: MatrixChoices, estimate: Estimate) {
  const failed = new AbortController();
  const signal = AbortSignal.any([choices.signal, failed.signal]);
  const limit = pLimit(lanes.atOnce);
  // One processor is left to the servers that run.
  const inTurn = pLimit(Math.max(1, availableParallelism() - 1));
  const work = async (cell: Cell): Promise<JudgedRun> => {
    if (signal.aborted) throw new Interrupted();
    const among = lanes.atOnce;
    const judged = await runCell(cell, { ...choices, signal, inTurn: among === 1 ? undefined : inTurn });
    lanes.done(among, judged.verdict.word);
    limit.concurrency = lanes.atOnce;
    estimate.done(cell, judged, lanes.atOnce);
    return judged;
  };
  const tried = async (cell: Cell): Promise<JudgedRun> => {
    try {
      return await work(cell);
    } catch (error) {
      failed.abort();
      throw error;
    }
  };
  // All of them end, also when one fails: no lab may be left.
  const ends = await Promise.allSettled(cells.map(cell => limit(tried, cell)));
  const reasons = ends.flatMap(end => (end.status === 'rejected' ? [end.reason] : []));
  const first = reasons.find(reason => !(choices.signal.aborted || reason instanceof Interrupted));
  if (reasons.length > 0) throw first ?? reasons[0];
  return ends.flatMap(end => (end.status === 'fulfilled' ? [end.value] : []));
}

async function runCell(
  { scenario, mode }: Cell,
  { seed, signal, inTurn }: MatrixChoices & { inTurn: InTurn | undefined },
) {
  const plan = makePlan(scenario, seed ?? scenario.seed);
  return judgeRun(await simulate(scenario, mode, plan, { signal, inTurn, onProgress: () => {} }));
}

/** How much is done and how long the rest will take, by how long one lab has taken for as much of planned time so far. */
class Estimate {
  #toldAt = performance.now();
  #labMs = 0;
  #atOnce: number;
  readonly #onProgress: MatrixChoices['onProgress'];
  #plannedMs: number;
  #doneMs = 0;
  #total: number;
  #done = 0;

  constructor(cells: readonly Cell[], { onProgress }: MatrixChoices, atOnce: number) {
    this.#onProgress = onProgress;
    this.#plannedMs = plannedMs(cells);
    this.#total = cells.length;
    this.#atOnce = atOnce;
    this.#tell(atOnce);
  }

  /** More than was known before. */
  expect(cells: readonly Cell[]): void {
    this.#plannedMs += plannedMs(cells);
    this.#total += cells.length;
  }

  done(cell: Cell, judged: JudgedRun, atOnce: number): void {
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

function plannedMs(cells: readonly Cell[]): number {
  return cells.reduce((sum, { scenario }) => sum + planDurationMs(scenario) + aroundMs, 0);
}
