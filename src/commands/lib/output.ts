import type { Stats } from 'node:fs';
import { access, appendFile, constants, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { toPrintable } from '../../report/fitted-table.js';
import { type RunNotes, renderOutputs, type StepOutputs } from '../../report/reporter.js';
import { type ReporterName, reporters } from '../../report/reporters/registry.js';
import { repeatsText } from '../../report/sentence.js';
import { partOf, writeAtomically, writeWhole } from '../../shared/result-files.js';
import { messageOf } from '../../shared/text.js';
import { describeLost, judgeRepeats, summarizeRepeats } from '../../simulator/checker/verdict/repeats.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { writeHistory } from '../../simulator/history/file.js';
import { describeNotApplicable } from './asked-scenario.js';
import { UsageError } from './flags.js';
import { columnsOf, wantsColour } from './streams.js';

/** Output files that the user named; `{scenario}` stands for the name of the scenario. */
export interface OutputFiles {
  readonly json?: string | undefined;
  readonly html?: string | undefined;
  readonly junit?: string | undefined;
  readonly history?: string | undefined;
}

export function printReport(runs: readonly JudgedRun[]): void {
  const { stdout } = process;
  stdout.write(`${reporters.terminal.report(runs, { colour: wantsColour(stdout), columns: columnsOf(stdout) })}\n`);
}

/** Maximum number of runs of one mode that are shown side by side. More columns are hard to read. */
const sideBySideMax = 5;
const reasonsMax = 5;

/** Prints the runs side by side, and a summary for each mode that ran more than once. When a mode ran many times, it
 * shows only the first run that failed. */
export function printRuns(runs: readonly JudgedRun[], { notApplicable = [], intervals = [] }: RunNotes): void {
  const { stdout } = process;
  const shown = chooseShown(runs);
  if (shown.length > 0) printReport(shown);
  for (const one of shown) printWhichRun(one, runs);
  stdout.write(repeatsText(intervals, { colour: wantsColour(stdout), columns: columnsOf(stdout) }));
  for (const { mode } of intervals) printTogether(mode, runs);
  for (const each of notApplicable) stdout.write(`${describeNotApplicable(each)}\n`);
}

/** Returns the runs to show: the first fail of a mode that ran many times, every run of the others. */
function chooseShown(runs: readonly JudgedRun[]): JudgedRun[] {
  const modes = [...new Set(runs.map(({ run }) => run.header.mode))];
  return modes.flatMap(mode => {
    const ofMode = runs.filter(({ run }) => run.header.mode === mode);
    if (ofMode.length <= sideBySideMax) return ofMode;
    return ofMode.filter(({ verdict }) => verdict.word === 'fail').slice(0, 1);
  });
}

/** Prints which run of its mode is shown. Prints nothing when all runs of the mode are shown. */
function printWhichRun(shown: JudgedRun, runs: readonly JudgedRun[]): void {
  const { mode } = shown.run.header;
  const ofMode = runs.filter(({ run }) => run.header.mode === mode);
  if (ofMode.length <= sideBySideMax) return;
  process.stdout.write(`${mode}: run ${ofMode.indexOf(shown) + 1} of ${ofMode.length} is the first that failed\n\n`);
}

function printTogether(mode: string, runs: readonly JudgedRun[]): void {
  const verdicts = runs.filter(({ run }) => run.header.mode === mode).map(({ verdict }) => verdict);
  const { word, reasons } = judgeRepeats(verdicts);
  const shown = word === 'pass' ? [] : reasons.slice(0, reasonsMax);
  const left = word === 'pass' ? 0 : reasons.length - shown.length;
  const lines = [...shown, ...(left === 0 ? [] : [`… and ${left} more: --json or --html shows them all`])];
  for (const line of [word, ...lines]) process.stdout.write(`${mode}: ${toPrintable(line)}\n`);
}

/**
 * Checks before a run that its results can be written afterwards: a long run must not fail at a wrong path.
 * `scenarios` are the names that replace `{scenario}`.
 */
export async function checkOutputs(
  files: OutputFiles & { readonly markdown?: string | undefined; readonly out?: string | undefined },
  folder: string | undefined,
  scenarios: readonly string[],
): Promise<void> {
  const taken = new Map<string, string>();
  for (const [flag, file] of Object.entries(files)) {
    if (file === undefined) continue;
    if (scenarios.length > 1 && !file.includes('{scenario}')) {
      throw new UsageError(
        `--${flag} "${file}": several scenarios need {scenario} in the name, as in --${flag} "{scenario}.${flag}".`,
      );
    }
    for (const name of scenarios) await checkTarget(`--${flag}`, nameFile(file, name), taken);
  }
  if (folder !== undefined) await writableFolder(folder, '--out', true);
}

/** Throws unless `file` can be written. `taken` has the files of other flags. */
async function checkTarget(flag: string, file: string, taken = new Map<string, string>()): Promise<void> {
  const place = path.resolve(file);
  const other = taken.get(place);
  if (other !== undefined) throw new UsageError(`${other} and ${flag} both name "${file}": give each its own file.`);
  taken.set(place, flag);
  await writableFolder(path.dirname(file), flag);
  const there = await lookAt(file);
  if (there?.isDirectory()) {
    throw new UsageError(`${flag} "${file}" is a folder: expected a file, such as ${path.join(file, 'out')}.`);
  }
  if (there === undefined || there.isFile()) await tryToWrite(flag, file);
}

/** Writes an empty file and removes it. This finds names that are too long and file systems that accept no files. */
async function tryToWrite(flag: string, file: string): Promise<void> {
  try {
    await writeFile(partOf(file), '');
    await rm(partOf(file));
  } catch (error) {
    throw new UsageError(`${flag} "${file}" cannot be written (${messageOf(error)}).`);
  }
}

function lookAt(file: string): Promise<Stats | undefined> {
  return stat(file).catch(() => undefined);
}

export function nameFile(file: string, scenario: string): string {
  return file.replaceAll('{scenario}', scenario);
}

async function writableFolder(folder: string, flag: string, make = false): Promise<void> {
  try {
    if (make) await makeFolder(path.resolve(folder));
    if ((await lookAt(folder))?.isFile()) throw new Error('it is a file, expected a folder such as reports');
    await access(folder, constants.W_OK);
  } catch (error) {
    throw new UsageError(
      `${flag}: the folder "${folder}" is not writable (${messageOf(error)}). Choose another place with ${flag}.`,
    );
  }
}

/** Makes one level after the other. The recursive option of Node.js never returns below /proc. */
async function makeFolder(folder: string): Promise<void> {
  if ((await lookAt(folder)) !== undefined) return;
  await makeFolder(path.dirname(folder));
  await mkdir(folder).catch(error => {
    // Another command may have made it in the meantime.
    if (error.code !== 'EEXIST') throw error;
  });
}

/** Writes the requested files. Each appears complete or not at all. */
export async function writeOutputs(
  files: OutputFiles,
  scenario: string,
  runs: readonly JudgedRun[],
  notes: RunNotes,
): Promise<void> {
  for (const reporter of ['json', 'html', 'junit'] as const) {
    const file = files[reporter];
    if (file !== undefined) await writeReport(reporter, nameFile(file, scenario), runs, notes);
  }
  if (files.history !== undefined) await writeWholeHistory(nameFile(files.history, scenario), runs);
}

async function writeWholeHistory(file: string, runs: readonly JudgedRun[]): Promise<void> {
  const records = runs.map(({ run }) => run);
  await writeAtomically(file, (part, flag) => writeHistory(part, records, flag));
}

export async function writeReport(
  name: ReporterName,
  file: string,
  runs: readonly JudgedRun[],
  notes: RunNotes,
): Promise<void> {
  await writeWhole(file, reporters[name].report(runs, { ...notes, colour: false }));
}

/** Writes annotations and the step summary on a runner of GitHub Actions. Does nothing elsewhere. */
export async function tellGitHub(runs: readonly JudgedRun[]): Promise<void> {
  if (!isOnGitHub()) return;
  process.stdout.write(reporters.annotations.report(runs, { colour: false }));
  await appendForGitHub('GITHUB_STEP_SUMMARY', summaryOf(runs));
}

/** Writes the outputs of the step on a runner of GitHub Actions. Does nothing elsewhere. Call it once, at the end of a
 * command: outputs of a command that could not finish would look like a result. */
export async function writeStepOutputs(outputs: StepOutputs): Promise<void> {
  if (isOnGitHub()) await appendForGitHub('GITHUB_OUTPUT', renderOutputs(outputs));
}

function isOnGitHub(): boolean {
  return process.env.GITHUB_ACTIONS === 'true';
}

/** Appends to a file that the runner reads after the step. A failure must not change the verdict. */
async function appendForGitHub(variable: 'GITHUB_STEP_SUMMARY' | 'GITHUB_OUTPUT', text: string): Promise<void> {
  const file = process.env[variable] ?? '';
  if (file === '') return;
  try {
    await appendFile(file, text);
  } catch (error) {
    process.stderr.write(`${variable} cannot be written: ${messageOf(error)}\n`);
  }
}

/** Returns the table of the shown runs, and a line for each mode that ran more than once. */
function summaryOf(runs: readonly JudgedRun[]): string {
  const shown = chooseShown(runs);
  const table = shown.length === 0 ? '' : reporters.markdown.report(shown, { colour: false });
  const repeats = summarizeRepeats(runs).map(each => `- ${each.mode}: ${describeLost(each)}\n`);
  return `${table}${repeats.join('')}`;
}
