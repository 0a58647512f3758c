import pc from 'picocolors';
import type { RecoveryState } from '../simulator/checker/findings.js';
import { allowsLoss, demandsLoss, parseLine } from '../simulator/checker/verdict/expectations.js';
import type { JudgedRun, VerdictWord } from '../simulator/checker/verdict/verdict.js';
import { describeMissingTarget, type NotApplicable } from '../simulator/scenario/scenario.js';
import type { Tone } from './comparison.js';
import { fitTable, toPrintable } from './fitted-table.js';
import { count, seconds } from './numbers.js';
import type { OtherTry, ReporterOptions } from './reporter.js';

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

interface MatrixTry {
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
function notRun(scenario: string, mode: string): MatrixCell {
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
  const proxy = runs[0]?.run.header.system?.proxy;
  const whole = {
    schema: 1,
    ...(proxy === undefined ? {} : { proxy }),
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

/** Renders the survival matrix for a terminal: two lines per cell, with a legend below. */
export function matrixText({ columns, rows }: Matrix, { colour, columns: width = 120 }: ReporterOptions): string {
  const colours = pc.createColors(colour);
  const paint = { pass: colours.green, fail: colours.red, inconclusive: colours.yellow };
  const cellText = (cell: MatrixCell) => {
    const { mark, tone } = cellWords(cell);
    const lines = figures(cell).map((text, index) => (index === 0 ? `${mark} ${text}`.trimEnd() : text));
    const painted = tone === 'plain' ? undefined : tone === 'loss' ? colours.bold : paint[tone];
    return lines.map(line => painted?.(line) ?? line).join('\n');
  };
  const table = {
    head: ['', ...columns.map(column => colours.bold(toPrintable(column)))],
    rows: rows.map(({ scenario, cells }) => [toPrintable(scenario), ...cells.map(cellText)]),
    aligns: ['left' as const, ...columns.map(() => 'right' as const)],
  };
  return `${fitTable(table, width)}\n${legend()}\n`;
}

function figures(cell: MatrixCell): string[] {
  if (cell.word === null) return [''];
  const short: Readonly<Record<string, string>> = { 'not recovered': 'never', 'recovery unknown': 'unknown' };
  const recovery = recoveryWords(cell);
  return [
    `${count(cell.loggedOut)} / ${count(cell.writesLost)}`,
    `${count(cell.requestsFailed)} / ${short[recovery] ?? recovery.replace(/^(after|within) /, '')}`,
  ];
}

function legend(): string {
  const marks = new Map<string, string[]>();
  for (const { mark, words } of matrixLegend) marks.set(mark, [...(marks.get(mark) ?? []), words]);
  const meanings = [...marks].map(([mark, words]) => `${mark} ${words.join(', or ')}`).join(' · ');
  return `each cell: users logged out / acknowledged writes lost, then requests failed / recovered after\n${meanings}`;
}

/** How a cell is marked. The mark works without colours, and the words work without the mark. */
interface CellWords {
  readonly mark: string;
  readonly words: string;
  readonly tone: Tone;
}

const outcomes: Record<MatrixOutcome, CellWords> = {
  kept: { mark: '✓', words: 'kept', tone: 'pass' },
  'expected-loss': { mark: '▼', words: 'lost, as expected', tone: 'loss' },
  'unexpected-loss': { mark: '✗', words: 'lost, not expected', tone: 'fail' },
  'missing-loss': { mark: '✗', words: 'nothing lost where a loss must be seen', tone: 'fail' },
  inconclusive: { mark: '?', words: 'inconclusive', tone: 'inconclusive' },
  'not-applicable': { mark: '·', words: 'not applicable', tone: 'plain' },
  'not-run': { mark: '–', words: 'not run', tone: 'plain' },
};

/** The failure of an expectation that is not about a loss, such as `requests.failed > 0`. */
const otherFailure: CellWords = { mark: '✗', words: 'another expectation fails', tone: 'fail' };

/**
 * Returns the words of a cell. A run with only expected losses, or none, may still fail; it must not look like a pass.
 */
export function cellWords({ outcome, word }: MatrixCell): CellWords {
  const plain = outcomes[outcome];
  if (word !== 'fail' || plain.tone === 'fail') return plain;
  return { ...otherFailure, words: `${plain.words}, but ${otherFailure.words}` };
}

/** Returns `after 1.2 s`, `not recovered`, `recovery unknown`, or a dash when no fault struck. */
export function recoveryWords({ recovery, recoveryMs, word }: MatrixCell): string {
  if (word === null || recovery === 'none') return '–';
  if (recovery === 'not recovered') return 'not recovered';
  if (recovery === 'unknown' || recoveryMs === null) return 'recovery unknown';
  return recoveryMs < 100 ? 'within 0.1 s' : `after ${seconds(recoveryMs)}`;
}

export function failedWords({ requestsFailed }: MatrixCell): string {
  return `${count(requestsFailed)} failed`;
}

/** The meaning of each mark, the most important first. */
export const matrixLegend: readonly CellWords[] = [...Object.values(outcomes), otherFailure];
