import path from 'node:path';
import { reporters } from '../report/reporters/registry.js';
import { makeTimedFolder, pointLatest, writeWhole } from '../shared/result-files.js';
import { check } from '../simulator/checker/check.js';
import { type JudgedRun, judge } from '../simulator/checker/verdict/verdict.js';
import { historyText } from '../simulator/history/file.js';
import type { ListedRun } from '../simulator/history/records.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { startAtZero } from './excerpt.js';
import { exportScenarios } from './export-scenario.js';
import { type ExportName, exportNames, type SideName, sideNames } from './protocol.js';

/** The records of a live session. A side that never ran is absent. */
export interface LiveRecords extends Partial<Readonly<Record<SideName, ListedRun>>> {
  /** The scenario of the live lab. Absent when recorded histories are played: then nothing was clicked. */
  readonly lab?: Scenario | undefined;
}

/** Lists the files that a session will have, or all but `scenario-right.yaml`. None when no side ever ran. Cheap. */
export function expectedNames(records: LiveRecords): readonly string[] {
  const sides = sideNames.filter(name => records[name] !== undefined);
  if (sides.length === 0) return [];
  const histories = sides.map(name => `history-${name}.ndjson`);
  return ['report.html', ...histories, ...(records.lab === undefined ? [] : ['scenario.yaml'])];
}

/**
 * Writes all files of a session into a new folder. Each file appears complete or not at all. Resolves with their paths:
 * none, and no folder, when no side ever ran. Rejects with the error of the file system.
 *
 *   <out>/live/2026-11-30T20-15-03Z/report.html
 *                                   history-left.ndjson
 *                                   history-right.ndjson
 *                                   scenario.yaml, and scenario-right.yaml when the sides were struck differently
 *   <out>/live/latest               a link to the newest folder
 */
export async function writeLiveFiles(out: string, records: LiveRecords, endedAt: Date): Promise<readonly string[]> {
  const session = judgeSession(records);
  if (session.sides.length === 0) return [];
  const folder = await makeTimedFolder(path.join(out, 'live'), endedAt);
  const files: string[] = [];
  for (const name of exportNames) {
    const text = textOf(name, session);
    if (text === undefined) continue;
    const file = path.join(folder, name);
    await writeWhole(file, text);
    files.push(file);
  }
  await pointLatest(folder);
  return files;
}

/** Returns the text of one file of a session, in parts. Undefined when the session has no such file. */
export function fileOf(name: ExportName, records: LiveRecords): Iterable<string> | undefined {
  return textOf(name, judgeSession(records));
}

interface Session {
  readonly lab: Scenario | undefined;
  /** The sides that ran, in the order left, right. */
  readonly sides: readonly { readonly name: SideName; readonly judged: JudgedRun }[];
}

function judgeSession(records: LiveRecords): Session {
  const sides = sideNames.flatMap(name => {
    const run = records[name];
    return run === undefined ? [] : [{ name, judged: judgeSide(run) }];
  });
  return { lab: records.lab, sides };
}

function judgeSide(recorded: ListedRun): JudgedRun {
  const run = recorded.header.live ? startAtZero(recorded) : recorded;
  const findings = check(run);
  return { run, findings, verdict: judge(run, findings) };
}

function textOf(name: ExportName, session: Session): Iterable<string> | undefined {
  switch (name) {
    case 'report.html':
      return reportOf(session);
    case 'history-left.ndjson':
      return historyOf('left', session);
    case 'history-right.ndjson':
      return historyOf('right', session);
    case 'scenario.yaml':
    case 'scenario-right.yaml':
      return scenarioOf(name, session);
  }
}

function reportOf({ sides }: Session): Iterable<string> | undefined {
  if (sides.length === 0) return undefined;
  const runs = sides.map(({ judged }) => judged);
  return [reporters.html.report(runs, { colour: false })];
}

function historyOf(side: SideName, { sides }: Session): Iterable<string> | undefined {
  const judged = sides.find(({ name }) => name === side)?.judged;
  return judged && historyText([judged.run]);
}

function scenarioOf(name: ExportName, { lab, sides }: Session): Iterable<string> | undefined {
  if (lab === undefined) return undefined;
  const found = Object.fromEntries(sides.map(side => [side.name, side.judged]));
  const file = exportScenarios(lab, found).find(one => one.name === name);
  return file && [file.text];
}
