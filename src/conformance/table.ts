import type { Cell } from './cell.js';
import type { Method, Recording } from './exchange.js';
import type { Experiment } from './experiment.js';

/** Requirements of a row on its system. */
interface RowNeeds {
  /** Number of backends. Default: 3. */
  readonly backends?: number;
  /** Further backends that the proxy knows and that do not run yet. */
  readonly spare?: number;
  /** Number of proxies with one configuration. Default: 1. */
  readonly proxies?: number;
  /** The backends name their process in each answer (`holdfast-incarnation`). */
  readonly named?: true;
}

/**
 * One experiment with a proxy: real processes, one method, a fresh system. It does something to the system and lets users
 * visit it. It judges nothing: a pure function computes the cells from what was recorded. Implementations:
 * `rows/registry.ts`.
 *
 * `run` rejects with `NoMeans` when the proxy has no means for it, and with `Unestablished` when what it did to the
 * system could not be confirmed. The first makes the cells "not applicable", the second "unknown".
 */
export interface FailureRow {
  /** One sentence: what is done. */
  readonly title: string;
  /** The rows that it fills in the table, by the phase of their exchanges. */
  readonly phases: Readonly<Record<string, string>>;
  /** Default: GET and POST, each in a system of its own. */
  readonly methods?: readonly Method[];
  readonly needs?: RowNeeds;
  run(experiment: Experiment): Promise<void>;
  /** Computes the cell of one phase. Pure. Default: `judgePhase`. */
  judge?(recording: Recording, phase: string): Cell;
}

export const bothMethods: readonly Method[] = ['GET', 'POST'];

/** The result of one experiment. */
export interface RowFinding {
  readonly proxy: string;
  readonly row: string;
  readonly method: Method;
  /** The version of the proxy; undefined when it has no command that prints it. */
  readonly version: string | undefined;
  /** One cell for each phase of the row. */
  readonly cells: Readonly<Record<string, Cell>>;
  readonly recording: Recording;
}

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

/** One cell with its evidence. */
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

/** The folders of the table in Markdown and of the package, as absolute paths: links are relative. */
export interface TablePlace {
  readonly folder: string;
  readonly packageFolder: string;
}

export interface TableReporterOptions {
  readonly colour: boolean;
  /** The width of the terminal. */
  readonly columns: number;
  /** The command line that makes the same table again. */
  readonly again: string;
  /** The folder with the page of each proxy, beside the table in Markdown. */
  readonly pages: string;
  readonly place: TablePlace;
}

/** Turns the failure table into one text. It does no I/O. Implementations: `reporters.ts`. */
export type TableReporter = (table: FailureTable, options: TableReporterOptions) => string;
