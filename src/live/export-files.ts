import path from 'node:path';
import { reporters } from '../report/reporters/registry.js';
import { makeTimedFolder, pointLatest, writeWhole } from '../shared/result-files.js';
import { judgeRun } from '../simulator/checker/judge-run.js';
import type { JudgedRun } from '../simulator/checker/verdict/verdict.js';
import { historyText } from '../simulator/history/file.js';
import type { ListedRun } from '../simulator/history/records.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { startAtZero } from './excerpt.js';
import { exportScenarios, type ScenarioText } from './export-scenario.js';
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
  const session = new SessionFiles(records);
  if (session.isEmpty) return [];
  const folder = await makeTimedFolder(path.join(out, 'live'), endedAt);
  const files: string[] = [];
  for (const name of exportNames) {
    const text = session.textOf(name);
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
  return new SessionFiles(records).textOf(name);
}

/** A value that is computed when it is first asked for. */
function once<Value>(compute: () => Value): () => Value {
  let known: { readonly value: Value } | undefined;
  return () => {
    known ??= { value: compute() };
    return known.value;
  };
}

/** The files of a session. Only the report and the scenarios need judged sides, and each side is judged once. */
class SessionFiles {
  readonly #lab: Scenario | undefined;
  /** The sides that ran, in the order left, right. */
  readonly #sides: readonly { readonly name: SideName; readonly run: ListedRun; judged(): JudgedRun }[];
  readonly #scenarios: () => readonly ScenarioText[];

  constructor({ lab, ...records }: LiveRecords) {
    this.#lab = lab;
    this.#sides = sideNames.flatMap(name => {
      const recorded = records[name];
      if (recorded === undefined) return [];
      const run = recorded.header.live ? startAtZero(recorded) : recorded;
      return [{ name, run, judged: once(() => judgeRun(run)) }];
    });
    this.#scenarios = once(() => this.#makeScenarios());
  }

  get isEmpty(): boolean {
    return this.#sides.length === 0;
  }

  textOf(name: ExportName): Iterable<string> | undefined {
    switch (name) {
      case 'report.html':
        return this.isEmpty ? undefined : [reporters.html.report(this.#judged(), { colour: false })];
      case 'history-left.ndjson':
        return this.#historyOf('left');
      case 'history-right.ndjson':
        return this.#historyOf('right');
      case 'scenario.yaml':
      case 'scenario-right.yaml': {
        const scenario = this.#scenarios().find(one => one.name === name);
        return scenario && [scenario.text];
      }
    }
  }

  #judged(): JudgedRun[] {
    return this.#sides.map(({ judged }) => judged());
  }

  #historyOf(side: SideName): Iterable<string> | undefined {
    const found = this.#sides.find(({ name }) => name === side);
    return found && historyText([found.run]);
  }

  #makeScenarios(): readonly ScenarioText[] {
    if (this.#lab === undefined) return [];
    return exportScenarios(this.#lab, Object.fromEntries(this.#sides.map(({ name, judged }) => [name, judged()])));
  }
}
