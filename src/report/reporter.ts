import type { JudgedRun } from '../simulator/checker/verdict.js';

/** Turns the judged runs of one scenario into one text. Pure: no clock, no I/O. `runs` is never empty. */
export type Reporter = (runs: readonly JudgedRun[], options: ReporterOptions) => string;

export interface ReporterOptions {
  readonly colour: boolean;
  /** How wide a table may be; by default as wide as it likes. */
  readonly columns?: number;
}
