import type { FailureTable } from './table.js';

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

/** Turns the failure table into one text. It does no I/O. Implementations: `reporters/registry.ts`. */
export type TableReporter = (table: FailureTable, options: TableReporterOptions) => string;
