import type { RecoveryState } from '../simulator/checker/findings.js';
import { allowsLoss, demandsLoss, parseLine } from '../simulator/checker/verdict/expectations.js';
import type { JudgedRun, VerdictWord } from '../simulator/checker/verdict/verdict.js';
import { describeMissingTarget, type NotApplicable } from '../simulator/scenario/applicable.js';
import type { OtherTry } from './reporter.js';

/** One cell of the survival matrix, mode × fault. Plain data, as JSON holds it. */
export interface MatrixCell {
  readonly scenario: string;
  readonly mode: string;
  readonly loggedOut: number;
  readonly users: number;
  readonly writesLost: number;
  readonly acknowledged: number;
  readonly requestsFailed: number;
  readonly planned: number;
  /** Null when not measured or not recovered. */
  readonly recoveryMs: number | null;
  readonly recovery: RecoveryState;
  /** The name of this fact in version 0.1 of the JSON report. */
  readonly recovered: boolean;
  /** Null when it was not run or cannot be run. */
  readonly word: VerdictWord | null;
  /** Whether the scenario demands a loss in this mode. */
  readonly expectedLoss: boolean;
  readonly outcome: MatrixOutcome;
  /** Number of expectations about time or errors that the run could not judge because the machine was busy. */
  readonly notJudged: number;
  /** Only for `not-applicable`: which fault has no target in this mode. */
  readonly why?: string;
  /** The other try of a run that was tried twice. */
  readonly firstTry?: MatrixTry;
  readonly secondTry?: MatrixTry;
}

export interface MatrixTry {
  readonly verdict: VerdictWord;
  readonly reasons: readonly string[];
}

/**
 * The outcome of a cell. `expected-loss`: the scenario demands a loss, or allows this one. `missing-loss`: it demands a
 * loss and none occurred; then the lab is broken, and the system is not proven good. `inconclusive` overrides these.
 * `not-applicable`: a fault of the scenario has no target in this mode.
 */
export type MatrixOutcome =
  | 'kept'
  | 'expected-loss'
  | 'unexpected-loss'
  | 'missing-loss'
  | 'inconclusive'
  | 'not-applicable'
  | 'not-run';

export interface MatrixRow {
  readonly scenario: string;
  /** One cell for each column of the matrix, in the same order. */
  readonly cells: readonly MatrixCell[];
}

export interface Matrix {
  /** The modes. */
  readonly columns: readonly string[];
  readonly rows: readonly MatrixRow[];
}

export function matrixCell({ run, findings, verdict }: JudgedRun): MatrixCell {
  const { users, writes, requests, recoveryMs, recovery } = findings;
  const expectations = run.header.expectations.map(parseLine).filter(({ level }) => level !== 'warn');
  const lost = users.loggedOut > 0 || writes.lost > 0;
  const expectedLoss = expectations.some(demandsLoss);
  const allowed = verdict.word === 'pass' && expectations.some(allowsLoss);
  return {
    scenario: run.header.scenario,
    mode: run.header.mode,
    loggedOut: users.loggedOut,
    users: users.total,
    writesLost: writes.lost,
    acknowledged: writes.acknowledged,
    requestsFailed: requests.failed,
    planned: requests.planned,
    recoveryMs,
    recovery,
    recovered: recovery !== 'not recovered',
    word: verdict.word,
    expectedLoss,
    outcome: verdict.word === 'inconclusive' ? 'inconclusive' : outcomeOf(lost, expectedLoss, allowed),
    notJudged: verdict.expectations.filter(({ notJudged }) => notJudged !== undefined).length,
  };
}

/** Returns the cell with the other try added. */
export function addOtherTry(cell: MatrixCell, { which, verdict: { word, reasons } }: OtherTry): MatrixCell {
  return { ...cell, [which]: { verdict: word, reasons } };
}

function outcomeOf(lost: boolean, demanded: boolean, allowed: boolean): MatrixOutcome {
  if (!lost) return demanded ? 'missing-loss' : 'kept';
  return demanded || allowed ? 'expected-loss' : 'unexpected-loss';
}

/** Returns the cell of a mode that the scenario does not name or that was not selected. */
export function notRun(scenario: string, mode: string): MatrixCell {
  const nothing = {
    loggedOut: 0,
    users: 0,
    writesLost: 0,
    acknowledged: 0,
    requestsFailed: 0,
    planned: 0,
    notJudged: 0,
  };
  const unknown = { recoveryMs: null, recovery: 'none', recovered: false, word: null, expectedLoss: false } as const;
  return { scenario, mode, ...nothing, ...unknown, outcome: 'not-run' };
}

/** Returns the cell of a mode in which a fault of the scenario has no target. */
export function notApplicable(scenario: string, missing: NotApplicable): MatrixCell {
  return { ...notRun(scenario, missing.mode), outcome: 'not-applicable', why: describeMissingTarget(missing) };
}

/** Builds the matrix. Rows, and columns by default, are in the order in which their names first appear. A missing cell
 * counts as not run. */
export function matrixOf(
  cells: readonly MatrixCell[],
  columns: readonly string[] = [...new Set(cells.map(({ mode }) => mode))],
): Matrix {
  const scenarios = [...new Set(cells.map(({ scenario }) => scenario))];
  const rows = scenarios.map(scenario => ({
    scenario,
    cells: columns.map(
      mode => cells.find(cell => cell.scenario === scenario && cell.mode === mode) ?? notRun(scenario, mode),
    ),
  }));
  return { columns, rows };
}

/** Renders the matrix as JSON. Schema 1: fields are added, never renamed. */
export function matrixJson({ columns, rows }: Matrix, runs: readonly JudgedRun[]): string {
  const ofScenario = new Map(runs.map(({ run: { header } }) => [header.scenario, header]));
  const whole = {
    schema: 1,
    modes: columns,
    rows: rows.map(({ scenario, cells }) => {
      const { why, seed } = ofScenario.get(scenario) ?? {};
      return { scenario, why, seed, cells: cells.map(({ scenario: _, ...cell }) => cell) };
    }),
    problems: problemsOf(runs),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/** Lists every run that is not a pass, with its verdict and reasons. */
export function problemsOf(runs: readonly JudgedRun[]) {
  return runs
    .filter(({ verdict }) => verdict.word !== 'pass')
    .map(({ run: { header }, verdict }) => ({
      scenario: header.scenario,
      mode: header.mode,
      word: verdict.word,
      reasons: verdict.reasons,
    }));
}
