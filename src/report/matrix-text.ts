import pc from 'picocolors';
import type { Tone } from './comparison.js';
import { fitTable, toPrintable } from './fitted-table.js';
import type { Matrix, MatrixCell, MatrixOutcome } from './matrix.js';
import type { ReporterOptions } from './reporter.js';
import { count, seconds } from './words.js';

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

/**
 * Returns the words of a cell. A run with only expected losses, or none, may still fail; it must not look like a pass.
 */
export function cellWords({ outcome, word }: MatrixCell): CellWords {
  const plain = outcomes[outcome];
  if (word !== 'fail' || plain.tone === 'fail') return plain;
  return { mark: '✗', words: `${plain.words}, but another expectation fails`, tone: 'fail' };
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
export const matrixLegend: readonly CellWords[] = Object.values(outcomes);
