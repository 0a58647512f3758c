import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { readHistory, validateHistory } from './file.js';
import { JoinedTables } from './joined-tables.js';
import { LineProblem } from './lines.js';
import type { TableParts } from './operation-table.js';
import type { PartWanted, Segment } from './read-part.js';
import type { RunRecord } from './records.js';
import { type OperationSink, RunsInFile } from './runs-in-file.js';
import { Thread } from './thread.js';

/** Files of at least this size are read in parts: some hundred thousand operations. */
const partedBytesMin = 64 * 1024 * 1024;
const partsMax = 4;

/**
 * Reads a history of any length. Several threads read a long history and keep it outside the heap, with less than 150
 * bytes per operation; its `operations` are then not a list. Rejects as `readHistory` does.
 */
export async function openHistory(
  file: string,
  parts = Math.min(partsMax, availableParallelism()),
  bytesMin = partedBytesMin,
): Promise<RunRecord[]> {
  const bytes = await stat(file).then(
    found => (found.isFile() ? found.size : 0),
    () => 0,
  );
  if (bytes < bytesMin) return readHistory(file);
  const runs = await readInParts(splitFile(file, bytes, parts));
  if (runs !== undefined) return runs;
  // The file has an error, or an unusual form. The simple reader finds out which.
  await validateHistory(file);
  return readHistory(file);
}

/** Cuts a file into parts of nearly the same length. */
export function splitFile(file: string, bytes: number, parts: number): PartWanted[] {
  const cut = (part: number) => Math.floor((bytes * part) / parts);
  return Array.from({ length: parts }, (_, part) => ({ file, from: cut(part), to: cut(part + 1) }));
}

async function readInParts(wanted: readonly PartWanted[]): Promise<RunRecord[] | undefined> {
  const read = await Promise.all(wanted.map(startReading));
  const segments = read.filter(each => each !== undefined).flat();
  return read.includes(undefined) ? undefined : joinRuns(segments);
}

/** Reads a part in a thread. Resolves with undefined if the part has an error. */
async function startReading(wanted: PartWanted): Promise<readonly Segment[] | undefined> {
  const thread = new Thread('dist/simulator/history/part-worker.js', wanted);
  const { segments } = await thread.receive<{ readonly segments?: readonly Segment[] }>();
  return segments;
}

/** Joins segments into runs. Returns undefined if they do not form runs, or an id occurs twice. */
export function joinRuns(segments: readonly Segment[]): RunRecord[] | undefined {
  try {
    const runs = new RunsInFile(() => new Tables());
    for (const { lines, table, lab } of segments) {
      for (const line of lines) runs.take(line, 0);
      if (table.length > 0) (runs.sink ?? throwNoRun()).tables.push(table);
      if (lab !== undefined) runs.take(lab, 0);
    }
    return runs.all().map(({ sink, ...run }) => ({ ...run, operations: sink.join() }));
  } catch (error) {
    if (error instanceof LineProblem) return undefined;
    throw error;
  }
}

function throwNoRun(): never {
  throw new LineProblem('expected a run line');
}

class Tables implements OperationSink {
  readonly tables: TableParts[] = [];

  /** Always throws, because operations come in tables here. */
  take(): never {
    throw new LineProblem('expected a table');
  }

  join(): JoinedTables {
    const operations = new JoinedTables(this.tables);
    if (operations.hasRepeatedId()) throw new LineProblem('an operation occurs twice');
    return operations;
  }
}
