import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { describeUnknownWindow, type Expectation, parseLine } from '../checker/verdict/expectations.js';
import { HistoryFileError, ScenarioError } from '../errors.js';
import { type HistoryLine, LineProblem, parseHistoryLine } from './lines.js';
import type {
  ExpectationLine,
  FaultRecord,
  LabRecord,
  ListedRun,
  MemberRecord,
  Operation,
  PhaseRecord,
  RunHeader,
  RunRecord,
} from './records.js';

/**
 * A history file holds one JSON object per line, each with a `type`. A run begins with its `run` line and ends with its
 * `lab` line, so that a truncated file is noticed.
 *
 *     run  phase...  fault...  member...  operation...  lab  |  run ...
 *
 * Reading and writing stream: a history of a million lines never becomes one string.
 */

/** Longest line in characters: a cart of some hundred thousand items fits. Without a limit, a file without line ends
 * would become one string. */
export const lineLengthMax = 16 * 1024 * 1024;
const batchLengthMin = 64 * 1024;

/** Overwrites `file`, or appends to it. Rejects with the error of the file system. */
export async function writeHistory(file: string, runs: readonly RunRecord[], flag: 'a' | 'w' = 'w'): Promise<void> {
  await writeFile(file, historyText(runs), { flag });
}

/** Yields the text of a history file in parts. */
export function* historyText(runs: readonly RunRecord[]): Generator<string> {
  let batch = '';
  for (const run of runs) {
    for (const line of linesOf(run)) {
      batch += `${JSON.stringify(line)}\n`;
      if (batch.length < batchLengthMin) continue;
      yield batch;
      batch = '';
    }
  }
  yield batch;
}

function* linesOf(run: RunRecord): Generator<HistoryLine> {
  yield run.header;
  yield* run.phases;
  yield* run.faults;
  yield* run.members;
  yield* run.operations;
  yield run.lab;
}

/** Reads a history into lists. Rejects with a `HistoryFileError` that names file and line, what was found there and
 * what was expected. */
export async function readHistory(file: string): Promise<ListedRun[]> {
  const runs = await readInto(file, () => new OperationList());
  return runs.map(({ sink, ...run }) => ({ ...run, operations: sink.operations }));
}

/** Reads a file without keeping its operations. Rejects as `readHistory` does. */
export async function validateHistory(file: string): Promise<void> {
  await readInto(file, () => new UniqueIds());
}

async function readInto<Sink extends OperationSink>(file: string, newSink: () => Sink): Promise<RunRead<Sink>[]> {
  const runs = new RunsInFile(newSink);
  let lineNumber = 0;
  try {
    for await (const lines of batchesIn(file)) {
      for (const line of lines) {
        lineNumber += 1;
        runs.take(parseHistoryLine(limitLine(line)), lineNumber);
      }
    }
    return runs.all();
  } catch (error) {
    throw addPosition(error, file, lineNumber);
  }
}

/** Returns the line. Throws a `LineProblem` if it is too long. */
export function limitLine(line: string): string {
  if (line.length <= lineLengthMax) return line;
  throw new LineProblem(`the line is longer than ${lineLengthMax} characters, expected one JSON object a line`);
}

function addPosition(error: unknown, file: string, line: number): unknown {
  if (error instanceof LineProblem) return new HistoryFileError(`${file}:${Math.max(1, line)}: ${error.message}`);
  if (error instanceof Error && 'code' in error) {
    const found = error.code === 'ENOENT' ? 'found no such file' : error.message;
    const expected = 'expected a history or the folder of a run, such as reports/kill-one/latest';
    return new HistoryFileError(`cannot read the history ${file}: ${found}, ${expected}`, { cause: error });
  }
  return error;
}

async function* batchesIn(file: string): AsyncGenerator<readonly string[]> {
  let unfinished = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 256 * 1024 })) {
    const lines = String(chunk).split('\n');
    lines[0] = unfinished + (lines[0] ?? '');
    unfinished = lines.pop() ?? '';
    yield unfinished.length > lineLengthMax ? [...lines, unfinished] : lines;
  }
  if (unfinished !== '') yield [unfinished];
}

/** Rejects operations with an id that occurred before: an operation has exactly one line. */
class UniqueIds implements OperationSink {
  readonly #ids = new Set<number>();

  take({ id }: Operation): void {
    if (this.#ids.has(id)) throw new LineProblem(`operation ${id} occurs twice, expected once`);
    this.#ids.add(id);
  }
}

class OperationList extends UniqueIds {
  readonly operations: Operation[] = [];

  override take(operation: Operation): void {
    super.take(operation);
    this.operations.push(operation);
  }
}

/** Receives the operations of one run. */
export interface OperationSink {
  /** Takes an operation. Throws a `LineProblem` if it took one with the same id before. */
  take(operation: Operation): void;
}

/** A run that was read, with the sink that took its operations. */
interface RunRead<Sink> extends Omit<RunRecord, 'operations'> {
  readonly sink: Sink;
}

/** Joins the lines into runs. Throws a `LineProblem` when the order of the lines shows that something is missing. */
export class RunsInFile<Sink extends OperationSink> {
  readonly #newSink: () => Sink;
  readonly #done: RunRead<Sink>[] = [];
  #current: OpenRun<Sink> | undefined;

  constructor(newSink: () => Sink) {
    this.#newSink = newSink;
  }

  /** The sink of the run that has begun and not ended. */
  get sink(): Sink | undefined {
    return this.#current?.sink;
  }

  take(line: HistoryLine, lineNumber: number): void {
    if (line.type === 'run') this.#begin(line, lineNumber);
    else if (this.#current === undefined)
      throw new LineProblem(`expected a run line, found a line of type ${line.type}`);
    else if (line.type === 'lab') this.#end(this.#current, line);
    else this.#current.take(line);
  }

  all(): RunRead<Sink>[] {
    if (this.#current !== undefined) throw new LineProblem(this.#current.describeTruncation());
    if (this.#done.length === 0) throw new LineProblem('the file is empty, expected a run line');
    return this.#done;
  }

  #begin(header: RunHeader, lineNumber: number): void {
    if (this.#current !== undefined) throw new LineProblem(this.#current.describeTruncation());
    assertExpectations(header);
    this.#current = new OpenRun(header, lineNumber, this.#newSink());
  }

  #end(run: OpenRun<Sink>, lab: LabRecord): void {
    this.#done.push(run.closeWith(lab));
    this.#current = undefined;
  }
}

/** Asserts that the expectations are valid, so that the error names the line of the header. */
function assertExpectations({ expectations, faults }: RunHeader): void {
  for (const line of expectations) {
    const { during } = parseLineExpectation(line);
    const strange = during === undefined ? undefined : describeUnknownWindow(during, faults);
    if (strange !== undefined) throw new LineProblem(`expectations: ${strange}`);
  }
}

function parseLineExpectation(line: ExpectationLine): Expectation {
  try {
    return parseLine(line);
  } catch (error) {
    throw error instanceof ScenarioError ? new LineProblem(`expectations: ${error.message}`) : error;
  }
}

class OpenRun<Sink extends OperationSink> {
  readonly #phases: PhaseRecord[] = [];
  readonly #faults: FaultRecord[] = [];
  readonly #members: MemberRecord[] = [];

  constructor(
    readonly header: RunHeader,
    readonly lineNumber: number,
    readonly sink: Sink,
  ) {}

  take(line: Operation | PhaseRecord | FaultRecord | MemberRecord): void {
    if (line.type === 'operation') this.sink.take(line);
    else if (line.type === 'phase') this.#phases.push(line);
    else if (line.type === 'fault') this.#faults.push(line);
    else this.#members.push(line);
  }

  closeWith(lab: LabRecord): RunRead<Sink> {
    return {
      header: this.header,
      sink: this.sink,
      phases: this.#phases,
      faults: this.#faults,
      members: this.#members,
      lab,
    };
  }

  describeTruncation(): string {
    return `the run of line ${this.lineNumber} has no lab line: expected one at its end, the file is cut off`;
  }
}
