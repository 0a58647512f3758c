import pc from 'picocolors';
import { fittedTable, printable } from './fitted-table.js';
import type { Matrix, MatrixCell } from './matrix.js';
import { cellWords, matrixLegend, recoveryWords } from './matrix-words.js';
import type { ReporterOptions } from './reporter.js';
import { count } from './words.js';

/** The survival matrix for a terminal: two lines a cell, and what they mean below. */
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
    head: ['', ...columns.map(column => colours.bold(printable(column)))],
    rows: rows.map(({ scenario, cells }) => [printable(scenario), ...cells.map(cellText)]),
    aligns: ['left' as const, ...columns.map(() => 'right' as const)],
  };
  return `${fittedTable(table, width)}\n${legend()}\n`;
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
