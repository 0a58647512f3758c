import type { RunNotes } from '../../report/reporter.js';
import { summarizeRepeats } from '../../simulator/checker/verdict/repeats.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { Plan } from '../../simulator/plan/plan.js';
import type { NotApplicable, Scenario } from '../../simulator/scenario/scenario.js';
import { showProgress } from './live-line.js';
import { RunFolder } from './run-folder.js';
import type { RunChoices } from './run-scenario.js';
import type { TriedRun } from './second-try.js';

export interface FolderChoices extends Pick<RunChoices, 'modes' | 'repeat' | 'storeUrls' | 'signal'> {
  readonly out: string;
  readonly notApplicable: readonly NotApplicable[];
  /** Called after each run with all finished runs. */
  onRun?(runs: readonly JudgedRun[]): void;
}

export interface RunsInFolder {
  readonly folder: RunFolder;
  readonly runs: readonly JudgedRun[];
  readonly notes: RunNotes;
  readonly failure?: unknown;
}

/** Runs a scenario and saves the history of each run as soon as it has finished. Shows the progress on stderr. */
export async function runIntoFolder(scenario: Scenario, plan: Plan, choices: FolderChoices): Promise<RunsInFolder> {
  const folder = await RunFolder.create(choices.out, plan, new Date());
  // The lab is the largest part of the code, so it is loaded only for a valid command line.
  const { runScenario } = await import('./run-scenario.js');
  const progress = showProgress(scenario.name);
  const over: JudgedRun[] = [];
  const { runs: tried, failure } = await runScenario(scenario, plan, {
    ...choices,
    onProgress: progress.show,
    onSecondTry: mode => progress.say(`${mode}: the machine was busy; trying once more`),
    async onRun(run) {
      await folder.add(run);
      over.push(run.judged);
      progress.end();
      choices.onRun?.(over);
    },
  }).finally(progress.end);
  await folder.removeIfEmpty();
  const runs = tried.map(({ judged }) => judged);
  return {
    folder,
    runs,
    notes: notesOf(runs, choices.notApplicable, tried),
    ...(failure !== undefined && { failure }),
  };
}

/** Returns the notes that reports show next to the runs. */
export function notesOf(
  runs: readonly JudgedRun[],
  notApplicable: readonly NotApplicable[] = [],
  tried: readonly TriedRun[] = [],
): RunNotes {
  const intervals = summarizeRepeats(runs);
  const others = tried.flatMap(({ judged, other }) =>
    other === undefined ? [] : [[judged, { which: other.which, verdict: other.judged.verdict }] as const],
  );
  return {
    notApplicable,
    ...(intervals.length > 0 && { intervals }),
    ...(others.length > 0 && { otherTries: new Map(others) }),
  };
}
