import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';

export interface FittedTable {
  /** The first column names the row. Texts may hold colours. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** One for each column. */
  readonly aligns: readonly ('left' | 'right')[];
}

/**
 * Draws a table for the terminal. If it is wider than `columns`, it becomes several tables, each with the first column.
 */
export function fitTable(table: FittedTable, columns: number): string {
  const text = drawTable(table);
  const count = table.head.length;
  if (tableWidth(text) <= columns || count <= 2) return text;
  const middle = 1 + Math.ceil((count - 1) / 2);
  return [part(table, 1, middle), part(table, middle, count)].map(half => fitTable(half, columns)).join('\n');
}

/** Returns the width of the widest line, in columns. */
export function tableWidth(text: string): number {
  return Math.max(...text.split('\n').map(line => stripVTControlCharacters(line).length));
}

function part({ head, rows, aligns }: FittedTable, from: number, to: number): FittedTable {
  const cut = <T>(cells: readonly T[]): T[] => [...cells.slice(0, 1), ...cells.slice(from, to)];
  return { head: cut(head), rows: rows.map(cut), aligns: cut(aligns) };
}

function drawTable({ head, rows, aligns }: FittedTable): string {
  const made = new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    colAligns: [...aligns],
  });
  made.push(...rows.map(cells => [...cells]));
  return made.toString();
}

/** Returns one line of plain text: a text from a scenario or an answer must not control the terminal. */
export function toPrintable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it removes control characters
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
