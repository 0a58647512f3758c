import type { RepeatSummary } from '../simulator/checker/verdict/repeats.js';
import type { JudgedRun, Verdict } from '../simulator/checker/verdict/verdict.js';
import type { NotApplicable } from '../simulator/scenario/scenario.js';

/** Renders the judged runs of one scenario as one text. Pure: no clock, no I/O. `runs` is never empty. */
export type Reporter = (runs: readonly JudgedRun[], options: ReporterOptions) => string;

export interface ReporterOptions extends RunNotes {
  readonly colour: boolean;
  /** Maximum width of a table, in columns; by default unlimited. */
  readonly columns?: number;
}

/** Notes of a command on its runs. */
export interface RunNotes {
  /** Selected modes that could not run, each with the fault that has no target there. */
  readonly notApplicable?: readonly NotApplicable[];
  /** One summary for each mode that ran more than once. */
  readonly intervals?: readonly RepeatSummary[];
  /** The other try of a run that was tried twice. */
  readonly otherTries?: ReadonlyMap<JudgedRun, OtherTry>;
}

export interface OtherTry {
  /** Which of the two tries this is. The run that counts is the other one. */
  readonly which: 'firstTry' | 'secondTry';
  readonly verdict: Verdict;
}
