import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { packageFile } from '../../package-file.js';
import { readHistory, validateHistory } from './file.js';
import { JoinedTables } from './joined-tables.js';
import { OperationTable } from './operation-table.js';
import type { PartWanted, RunPart } from './read-part.js';
import type { RunRecord } from './records.js';

/** From this size on a file is read in parts: some hundred thousand operations. */
const partedBytesMin = 64 * 1024 * 1024;
/** Each thread goes over the whole file, and reads the lines of its own users: more threads gain less and less. */
const partsMax = 4;

/**
 * Reads a history of any length. A long one is kept outside the heap, with less than 150 bytes an operation; its
 * `operations` are then no list. Rejects as `readHistory` does.
 */
export async function openHistory(
  file: string,
  parts = Math.min(partsMax, availableParallelism()),
  bytesMin = partedBytesMin,
): Promise<RunRecord[]> {
  const isLong = await stat(file).then(
    found => found.isFile() && found.size >= bytesMin,
    () => false,
  );
  if (!isLong) return readHistory(file);
  const runs = await readInParts(file, parts);
  if (runs !== undefined) return runs;
  // Something is wrong with the file, or it is right and strange: the simple way tells.
  await validateHistory(file);
  return readHistory(file);
}

/** Returns undefined if the file cannot be read in parts, or may not be right. */
async function readInParts(file: string, parts: number): Promise<RunRecord[] | undefined> {
  const read = await Promise.all(Array.from({ length: parts }, (_, part) => startReading({ file, part, parts })));
  const [first, ...others] = read;
  if (first === undefined || others.includes(undefined)) return undefined;
  const runs: RunRecord[] = [];
  for (const [i, { table: _, ...run }] of first.entries()) {
    const tables = read.map(each => new OperationTable(each?.[i]?.table));
    const operations = new JoinedTables(tables);
    if (operations.hasRepeatedId()) return undefined;
    runs.push({ ...run, operations });
  }
  return runs;
}

function startReading(wanted: PartWanted): Promise<readonly RunPart[] | undefined> {
  const worker = new Worker(packageFile('dist/simulator/history/part-worker.js'), { workerData: wanted });
  return new Promise((resolve, reject) => {
    worker.once('message', ({ runs }: { runs?: readonly RunPart[] }) => resolve(runs));
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that read the history ended early')));
  });
}
