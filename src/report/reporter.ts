import { worstOf } from '../shared/worst-verdict.js';
import type { RepeatSummary } from '../simulator/checker/verdict/repeats.js';
import type { JudgedRun, Verdict, VerdictWord } from '../simulator/checker/verdict/verdict.js';
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

/** The result of a command, as a later step of a workflow reads it. */
export interface StepOutputs {
  /** The verdicts of all runs, and those of scenarios of which nothing ran. */
  readonly verdicts: readonly VerdictWord[];
  /** Sums over all runs. Undefined: nothing ran, so nothing was counted. */
  readonly counts: { readonly usersLoggedOut: number; readonly writesLost: number } | undefined;
}

/** Returns the outputs of these runs. `others`: further verdicts, for example of a comparison. */
export function outputsOf(runs: readonly JudgedRun[], ...others: readonly VerdictWord[]): StepOutputs {
  const sum = (count: (run: JudgedRun) => number) => runs.reduce((total, run) => total + count(run), 0);
  return {
    verdicts: [...runs.map(({ verdict }) => verdict.word), ...others],
    counts:
      runs.length === 0
        ? undefined
        : {
            usersLoggedOut: sum(({ findings }) => findings.users.loggedOut),
            writesLost: sum(({ findings }) => findings.writes.lost),
          },
  };
}

/** Adds up the outputs of several scenarios. */
export function joinOutputs(all: readonly StepOutputs[]): StepOutputs {
  const counted = all.flatMap(({ counts }) => counts ?? []);
  const sum = (name: 'usersLoggedOut' | 'writesLost') => counted.reduce((total, counts) => total + counts[name], 0);
  return {
    verdicts: all.flatMap(({ verdicts }) => verdicts),
    counts: counted.length === 0 ? undefined : { usersLoggedOut: sum('usersLoggedOut'), writesLost: sum('writesLost') },
  };
}

/** Renders the lines for GITHUB_OUTPUT. They hold numbers and fixed words only, so no text of a run can add a line. */
export function renderOutputs({ verdicts, counts }: StepOutputs): string {
  const { usersLoggedOut = '', writesLost = '' } = counts ?? {};
  return `verdict=${worstOf(verdicts)}\nusers-logged-out=${usersLoggedOut}\nwrites-lost=${writesLost}\n`;
}
