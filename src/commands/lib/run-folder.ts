import { rm, rmdir, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import type { RunNotes } from '../../report/reporter.js';
import { latestName, makeTimedFolder, pointLatest, writeWhole } from '../../shared/result-files.js';
import { summarizeRepeats } from '../../simulator/checker/verdict/repeats.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { writeHistory } from '../../simulator/history/file.js';
import type { Plan } from '../../simulator/plan/plan.js';
import { writePlan } from '../../simulator/plan/plan-file.js';
import type { NotApplicable, Scenario } from '../../simulator/scenario/scenario.js';
import { UsageError } from './flags.js';
import { writeReport } from './output.js';
import type { RunChoices, TriedRun } from './run-scenario.js';
import { showProgress } from './streams.js';

const historyName = 'history.ndjson';
/** The histories in the folder of a live session (`live/protocol.ts`). */
const liveHistoryNames = ['history-left.ndjson', 'history-right.ndjson'];

/**
 * Returns the history files in the folder of a run or of a live session, or the file itself. Rejects with `UsageError`
 * when the folder holds none.
 */
export async function historiesIn(place: string): Promise<readonly string[]> {
  if (!(await stat(place).catch(() => undefined))?.isDirectory()) return [place];
  const inFolder = async (names: readonly string[]) => {
    const files = names.map(name => path.join(place, name));
    const found = await Promise.all(files.map(file => stat(file).catch(() => undefined)));
    return files.filter((_, index) => found[index] !== undefined);
  };
  const [ofRun, ofLive] = await Promise.all([inFolder([historyName]), inFolder(liveHistoryNames)]);
  if (ofRun.length > 0) return ofRun;
  if (ofLive.length > 0) return ofLive;
  const [newest] = await inFolder([latestName]);
  throw new UsageError(
    `${place} holds no ${historyName}: expected the folder of a run that came to its end, such as ${newest ?? 'reports/kill-one/latest'}.`,
  );
}

/**
 * The output folder of one command and scenario. No other command writes into it.
 *
 *   <out>/<scenario>/2026-11-30T20-15-03Z/plan.json            at once
 *                                         history.ndjson       run by run
 *                                         first-try-redis.ndjson
 *                                         report.html          at the end, also when the lab failed
 *   <out>/<scenario>/latest                                    a link to the newest folder that holds a run
 */
export class RunFolder {
  #isEmpty = true;

  private constructor(readonly path: string) {}

  /** Makes the folder and writes the plan. Rejects with the error of the file system. */
  static async create(out: string, plan: Plan, startedAt: Date): Promise<RunFolder> {
    const folder = new RunFolder(await makeTimedFolder(path.join(out, plan.scenario), startedAt));
    await writeWhole(path.join(folder.path, 'plan.json'), writePlan(plan));
    return folder;
  }

  /** Adds a finished run. When it was tried twice, the other try goes into a separate file. */
  async add({ judged, other }: TriedRun): Promise<void> {
    if (other !== undefined) {
      const which = other.which === 'firstTry' ? 'first-try' : 'second-try';
      await this.#append(`${which}-${other.judged.run.header.mode}.ndjson`, other.judged);
    }
    await this.#append(historyName, judged);
    if (this.#isEmpty) await pointLatest(this.path);
    this.#isEmpty = false;
  }

  /** Removes the folder if no run finished: it then holds nothing of use. */
  async removeIfEmpty(): Promise<void> {
    if (!this.#isEmpty) return;
    await rm(this.path, { recursive: true, force: true });
    // Another command may have written there.
    await rmdir(path.dirname(this.path)).catch(() => {});
  }

  /** Writes the report of all runs. Returns its path. */
  async writeReport(runs: readonly JudgedRun[], notes: RunNotes): Promise<string> {
    const file = path.join(this.path, 'report.html');
    await writeReport('html', file, runs, notes);
    return file;
  }

  /** Appends a complete run or nothing: a partial run would make the earlier ones unreadable. */
  async #append(name: string, { run }: JudgedRun): Promise<void> {
    const file = path.join(this.path, name);
    const before = await stat(file).catch(() => undefined);
    try {
      await writeHistory(file, [run], 'a');
    } catch (error) {
      await truncate(file, before?.size ?? 0).catch(() => {});
      throw error;
    }
  }
}

interface FolderChoices extends Pick<RunChoices, 'modes' | 'repeat' | 'storeUrls' | 'signal'> {
  readonly out: string;
  readonly notApplicable: readonly NotApplicable[];
  /** Called after each run with all finished runs. */
  onRun?(runs: readonly JudgedRun[]): void;
}

interface RunsInFolder {
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
