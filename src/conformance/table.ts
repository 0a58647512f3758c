import type { Cell } from './cell.js';
import type { Method, Recording } from './exchange.js';
import { bothMethods, type FailureRow } from './row.js';
import type { RowFinding } from './run-conformance.js';

/** One proxy as the reporters show it. */
export interface TableProxy {
  readonly name: string;
  readonly version?: string | undefined;
  /** The operator for which its configuration is made. */
  readonly for?: string | undefined;
  /** The file of its configuration, and the address of its documentation. */
  readonly configuration?: string | undefined;
  readonly documentation: readonly string[];
}

/** One cell with all that proves it. */
export interface TableCell extends Cell {
  readonly proxy: string;
  readonly method: Method;
  readonly recording: Recording;
}

export interface TableRow {
  /** The name of `--row`. */
  readonly row: string;
  readonly phase: string;
  /** The words of the table. */
  readonly title: string;
  /** One sentence: what the row does. */
  readonly what: string;
  readonly methods: readonly Method[];
  readonly cells: readonly TableCell[];
}

/** The failure table: plain data, from which every reporter renders. */
export interface FailureTable {
  readonly proxies: readonly TableProxy[];
  readonly rows: readonly TableRow[];
}

export function tableOf(
  rows: Readonly<Record<string, FailureRow>>,
  proxies: readonly TableProxy[],
  findings: readonly RowFinding[],
): FailureTable {
  const versions = new Map(findings.flatMap(({ proxy, version }) => (version === undefined ? [] : [[proxy, version]])));
  return {
    proxies: proxies.map(proxy => ({ ...proxy, version: versions.get(proxy.name) })),
    rows: Object.entries(rows).flatMap(([row, { title: what, phases, methods = bothMethods }]) =>
      Object.entries(phases).map(([phase, title]) => ({
        ...{ row, phase, title, what, methods },
        cells: findings.flatMap(finding => {
          const cell = finding.row === row ? finding.cells[phase] : undefined;
          const { proxy, method, recording } = finding;
          return cell === undefined ? [] : [{ ...cell, proxy, method, recording }];
        }),
      })),
    ),
  };
}

/** Returns the cells of one row and one proxy: one for each method. */
export function cellsAt({ cells }: TableRow, proxy: string): readonly TableCell[] {
  return cells.filter(cell => cell.proxy === proxy);
}

/** Returns the words of these cells: once when all methods have the same, else one line for each method. */
export function wordsOf(cells: readonly TableCell[]): readonly string[] {
  const words = [...new Set(cells.map(({ says }) => says))];
  return words.length <= 1 ? words : cells.map(({ method, says }) => `${method} ${says}`);
}

/** Returns whether every cell could be established. */
export function isEstablished({ rows }: FailureTable): boolean {
  return rows.every(({ cells }) => cells.every(({ kind }) => kind !== 'unknown'));
}
