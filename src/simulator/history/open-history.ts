import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { packageFile } from '../../shared/package.js';
import { type OperationSink, RunsInFile, readHistory, validateHistory } from './file.js';
import { LineProblem } from './lines.js';
import { OperationTable, type TableParts } from './operation-table.js';
import type { PartWanted, Segment } from './read-part.js';
import type { Operation, OperationOutline, Operations, RunRecord } from './records.js';

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

/** One of several equal shares of the users. A share is contiguous, so that users with adjacent rows stay together. */
export interface UserShare {
  readonly number: number;
  readonly of: number;
}

/** The operations of one run that was read in parts. Each part is a table, which may hold operations of every user. */
export class JoinedTables implements Operations {
  readonly length: number;
  readonly parts: readonly TableParts[];
  readonly #tables: readonly OperationTable[];
  readonly #share: UserShare;
  #users: readonly (readonly number[])[] | undefined;

  /** Joins the parts. `usersInTurn` yields only the users of the share. */
  constructor(parts: readonly TableParts[], share: UserShare = { number: 0, of: 1 }) {
    this.parts = parts;
    this.#tables = parts.map(each => new OperationTable(each));
    this.#share = share;
    this.length = parts.reduce((sum, { length }) => sum + length, 0);
  }

  *[Symbol.iterator](): Generator<Operation> {
    for (const table of this.#tables) {
      for (let row = 0; row < table.length; row += 1) yield table.operationAt(row);
    }
  }

  *outlines(): Generator<OperationOutline> {
    for (const table of this.#tables) yield* table.outlines();
  }

  eachOutline(see: (outline: OperationOutline) => void): void {
    for (const table of this.#tables) table.eachOutline(see);
  }

  /** Yields the operations of each user, in the order in which users first appear. */
  *usersInTurn(): Generator<Operation[]> {
    const tables = this.#tables.map(table => ({ table, ...table.rowsByUser() }));
    for (const numbers of this.groupUsers()) {
      const own: Operation[] = [];
      for (const [i, { table, rows, ends }] of tables.entries()) {
        const user = numbers[i] ?? -1;
        if (user >= 0) table.addOperationsAt(rows, ends[user - 1] ?? 0, ends[user] ?? 0, own);
      }
      // A user whose name occurs only in answers has no operations.
      if (own.length > 0) yield own;
    }
  }

  /** Returns, for each user of the share, its number in each table, or -1. It computes this once, and a thread can
   * call it early. */
  groupUsers(): readonly (readonly number[])[] {
    this.#users ??= this.#shareOf(this.#usersByTable());
    return this.#users;
  }

  hasRepeatedId(): boolean {
    const seen = new SeenIds(this.length);
    for (const table of this.#tables) {
      for (let row = 0; row < table.length; row += 1) if (!seen.add(table.idOf(row))) return true;
    }
    return false;
  }

  #shareOf<Item>(items: readonly Item[]): readonly Item[] {
    const { number, of } = this.#share;
    const cut = (part: number) => Math.floor((items.length * part) / of);
    return items.slice(cut(number), cut(number + 1));
  }

  #usersByTable(): readonly (readonly number[])[] {
    // Plain arrays, because a million small typed arrays would keep the garbage collector busy.
    const numbers = new Map<string, number[]>();
    for (const [i, table] of this.#tables.entries()) {
      for (const [user, name] of table.userTexts().entries()) {
        const own = numbers.get(name) ?? this.#tables.map(() => -1);
        own[i] = user;
        numbers.set(name, own);
      }
    }
    return [...numbers.values()];
  }
}

/** The set of ids seen so far. Ids nearly always count up from 0 or 1, so one bit each is enough. */
class SeenIds {
  readonly #bits: Uint32Array;
  readonly #others = new Set<number>();

  constructor(expected: number) {
    this.#bits = new Uint32Array(2 * Math.ceil(expected / 32) + 1);
  }

  /** Adds an id. Returns false if it was there before. */
  add(id: number): boolean {
    const word = Math.floor(id / 32);
    if (word >= this.#bits.length) return this.#others.size < this.#others.add(id).size;
    const [bits, bit] = [this.#bits[word] ?? 0, 1 << (id % 32)];
    this.#bits[word] = bits | bit;
    return (bits & bit) === 0;
  }
}

/** A thread that runs a program of this package. */
export class Thread {
  readonly #worker: Worker;
  readonly #failed: Promise<never>;

  /** Starts a program, given by its path in the package. */
  constructor(program: string, workerData: unknown) {
    const worker = new Worker(packageFile(program), { workerData });
    this.#worker = worker;
    this.#failed = new Promise((_, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error(`the thread of ${program} ended early`)));
    });
    // It may fail while nothing waits for a message. The next `receive` rejects then.
    this.#failed.catch(() => undefined);
  }

  send(message: unknown): void {
    this.#worker.postMessage(message);
  }

  /** Resolves with the next message. Rejects if the thread fails or ends first, or did so before. */
  receive<Message>(): Promise<Message> {
    return Promise.race([new Promise<Message>(resolve => this.#worker.once('message', resolve)), this.#failed]);
  }

  stop(): void {
    void this.#worker.terminate();
  }
}
