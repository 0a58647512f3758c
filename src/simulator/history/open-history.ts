import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { packageFile } from '../../shared/package-file.js';
import { readHistory, validateHistory } from './file.js';
import { JoinedTables } from './joined-tables.js';
import { LineProblem } from './lines.js';
import type { TableParts } from './operation-table.js';
import type { PartWanted, Segment } from './read-part.js';
import type { RunRecord } from './records.js';
import { type OperationSink, RunsInFile } from './runs-in-file.js';

/** From this size on a file is read in parts: some hundred thousand operations. */
const partedBytesMin = 64 * 1024 * 1024;
const partsMax = 4;

/**
 * Reads a history of any length. A long one is read by several threads and kept outside the heap, with less than 150
 * bytes an operation; its `operations` are then no list. Rejects as `readHistory` does.
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
  const runs = await readInParts(partsOf(file, bytes, parts));
  if (runs !== undefined) return runs;
  // Something is wrong with the file, or it is right and strange: the simple way tells.
  await validateHistory(file);
  return readHistory(file);
}

/** Cuts a file into parts of nearly the same length. */
export function partsOf(file: string, bytes: number, parts: number): PartWanted[] {
  const cut = (part: number) => Math.floor((bytes * part) / parts);
  return Array.from({ length: parts }, (_, part) => ({ file, from: cut(part), to: cut(part + 1) }));
}

async function readInParts(wanted: readonly PartWanted[]): Promise<RunRecord[] | undefined> {
  const read = await Promise.all(wanted.map(startReading));
  const segments = read.filter(each => each !== undefined).flat();
  return read.includes(undefined) ? undefined : joinedRuns(segments);
}

/** Resolves with undefined if something is wrong with the part. */
function startReading(wanted: PartWanted): Promise<readonly Segment[] | undefined> {
  const worker = new Worker(packageFile('dist/simulator/history/part-worker.js'), { workerData: wanted });
  return new Promise((resolve, reject) => {
    worker.once('message', ({ segments }: { segments?: readonly Segment[] }) => resolve(segments));
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that read the history ended early')));
  });
}

/** Puts segments together to runs. Returns undefined if they are none, or an id occurs twice. */
export function joinedRuns(segments: readonly Segment[]): RunRecord[] | undefined {
  try {
    const runs = new RunsInFile(() => new Tables());
    for (const { lines, table, lab } of segments) {
      for (const line of lines) runs.take(line, 0);
      if (table.length > 0) (runs.sink ?? noRun()).tables.push(table);
      if (lab !== undefined) runs.take(lab, 0);
    }
    return runs.all().map(({ sink, ...run }) => ({ ...run, operations: sink.join() }));
  } catch (error) {
    if (error instanceof LineProblem) return undefined;
    throw error;
  }
}

function noRun(): never {
  throw new LineProblem('expected a run line');
}

class Tables implements OperationSink {
  readonly tables: TableParts[] = [];

  /** Operations come in tables. */
  take(): never {
    throw new LineProblem('expected a table');
  }

  join(): JoinedTables {
    const operations = new JoinedTables(this.tables);
    if (operations.hasRepeatedId()) throw new LineProblem('an operation occurs twice');
    return operations;
  }
}
