import { access, constants, mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ReporterName, reporters } from '../report/reporters/registry.js';
import { writeHistory } from '../simulator/history-file.js';
import type { Plan } from '../simulator/plan.js';
import type { JudgedRun } from '../simulator/verdict.js';
import { UsageError } from './exit.js';

/** Files that the user asked for by name; `{scenario}` stands for the scenario's name. */
export interface OutputFiles {
  readonly json?: string | undefined;
  readonly html?: string | undefined;
  readonly history?: string | undefined;
}

export function wantsColour(): boolean {
  return process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
}

export function printReport(runs: readonly JudgedRun[]): void {
  process.stdout.write(`${reporters.terminal.report(runs, { colour: wantsColour() })}\n`);
}

/** Looks before a run whether its results can be written after it: a long run must not end in a wrong path. */
export async function checkOutputs(files: OutputFiles, folder: string | undefined, scenarios: number): Promise<void> {
  for (const [flag, file] of Object.entries(files)) {
    if (file === undefined) continue;
    if (scenarios > 1 && !file.includes('{scenario}')) {
      throw new UsageError(
        `--${flag} "${file}": with several scenarios say where the name goes, as in --${flag} "{scenario}.${flag}".`,
      );
    }
    await writableFolder(path.dirname(file), `--${flag}`);
  }
  if (folder !== undefined) await writableFolder(folder, '--out', true);
}

async function writableFolder(folder: string, flag: string, make = false): Promise<void> {
  try {
    if (make) await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${flag}: nothing can be written to the folder "${folder}" (${reason}).`);
  }
}

/** Writes the files asked for. Each appears whole or not at all. */
export async function writeOutputs(files: OutputFiles, scenario: string, runs: readonly JudgedRun[]): Promise<void> {
  const named = (file: string) => file.replaceAll('{scenario}', scenario);
  if (files.json !== undefined) await writeReport('json', named(files.json), runs);
  if (files.html !== undefined) await writeReport('html', named(files.html), runs);
  if (files.history !== undefined) await writeWholeHistory(named(files.history), runs);
}

async function writeWholeHistory(file: string, runs: readonly JudgedRun[]): Promise<void> {
  await writeHistory(
    `${file}.part`,
    runs.map(({ run }) => run),
  );
  await rename(`${file}.part`, file);
}

/** The folder of one scenario: the plan, the history, and the report to look at. Answers with the report's path. */
export async function writeFolder(folder: string, plan: Plan, runs: readonly JudgedRun[]): Promise<string> {
  const own = path.join(folder, plan.scenario);
  await mkdir(own, { recursive: true });
  await writeWhole(path.join(own, 'plan.json'), `${JSON.stringify(plan)}\n`);
  const html = path.join(own, 'report.html');
  await writeOutputs({ html, history: path.join(own, 'history.ndjson') }, plan.scenario, runs);
  return html;
}

async function writeReport(name: ReporterName, file: string, runs: readonly JudgedRun[]): Promise<void> {
  await writeWhole(file, reporters[name].report(runs, { colour: false }));
}

export async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.part`, text);
  await rename(`${file}.part`, file);
}
