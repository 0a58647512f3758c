import type { EvaluatedExpectation } from '../../simulator/checker/verdict/expectations.js';
import {
  hasLosses,
  type ModeSummary,
  type RunResult,
  summarizeResults,
} from '../../simulator/checker/verdict/repeats.js';
import type { VerdictWord } from '../../simulator/checker/verdict/verdict.js';
import { readTextFile } from '../../simulator/scenario/yaml.js';
import { UsageError } from './flags.js';

/** Close to the longest string that Node can hold. */
const reportBytesMax = 256 * 1024 * 1024;
const example = 'a file that "holdfast run --json" wrote';

/** A summary of an earlier report, by mode. */
export interface EarlierReport {
  readonly seed: number | undefined;
  readonly modes: readonly ModeSummary[];
}

/** Reads a `--json` file of an earlier run of `scenario`. Rejects with `UsageError`, which says what was expected. */
export async function readEarlierReport(file: string, scenario: string): Promise<EarlierReport> {
  const text = await readTextFile(file, { bytesMax: reportBytesMax, what: example, example });
  try {
    return parseEarlierReport(text, scenario);
  } catch (error) {
    throw error instanceof ReportProblem ? new UsageError(`--against ${file}: ${error.message}.`) : error;
  }
}

class ReportProblem extends Error {}

function parseEarlierReport(text: string, scenario: string): EarlierReport {
  const report = jsonIn(text);
  if (!isObject(report) || !('schema' in report)) throw new ReportProblem(`found no report, expected ${example}`);
  if (report.schema !== 1) {
    throw new ReportProblem(`found schema ${JSON.stringify(report.schema)}, expected schema 1: run it again`);
  }
  if (!Array.isArray(report.runs)) throw new ReportProblem(`found a report without runs, expected ${example}`);
  if (report.scenario !== scenario) {
    const found = JSON.stringify(report.scenario);
    throw new ReportProblem(`found a report of scenario ${found}, expected one of "${scenario}"`);
  }
  const runs = report.runs.map(runIn);
  const modes = [...new Set(runs.map(({ mode }) => mode))];
  const resultsOf = (mode: string) => runs.filter(run => run.mode === mode);
  return {
    seed: typeof report.seed === 'number' ? report.seed : undefined,
    modes: modes.map(mode => summarizeResults(mode, resultsOf(mode))),
  };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ReportProblem(`found no JSON, expected ${example}`);
  }
}

function runIn(run: unknown, index: number): RunResult & { readonly mode: string } {
  const place = `runs[${index}]`;
  if (!isObject(run) || typeof run.mode !== 'string') throw unlikeRun(place, 'mode');
  if (!isVerdictWord(run.verdict)) throw unlikeRun(place, 'verdict');
  if (!Array.isArray(run.expectations)) throw unlikeRun(place, 'expectations');
  const [lost, loggedOut] = [numberIn(run.writes, 'lost'), numberIn(run.users, 'loggedOut')];
  if (lost === undefined) throw unlikeRun(place, 'writes.lost');
  if (loggedOut === undefined) throw unlikeRun(place, 'users.loggedOut');
  return {
    mode: run.mode,
    word: run.verdict,
    lostAnything: hasLosses(lost, loggedOut),
    expectations: run.expectations.map((each, at) => expectationIn(each, `${place}.expectations[${at}]`)),
  };
}

function expectationIn(each: unknown, place: string): EvaluatedExpectation {
  if (!isObject(each) || typeof each.text !== 'string') throw unlikeRun(place, 'text');
  if (typeof each.met !== 'boolean') throw unlikeRun(place, 'met');
  return {
    text: each.text,
    ...(each.level === 'warn' && { level: 'warn' }),
    met: each.met,
    actual: typeof each.actual === 'string' ? each.actual : '',
    ...(typeof each.notJudged === 'string' && { notJudged: each.notJudged }),
  };
}

function unlikeRun(place: string, key: string): ReportProblem {
  return new ReportProblem(`${place}: found no valid ${key}, expected ${example}`);
}

function isVerdictWord(word: unknown): word is VerdictWord {
  return word === 'pass' || word === 'fail' || word === 'inconclusive';
}

function numberIn(group: unknown, key: string): number | undefined {
  const value = isObject(group) ? group[key] : undefined;
  return typeof value === 'number' ? value : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
