import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type Expectation, parseLine } from '../checker/expectations.js';
import { strangeWindow } from '../checker/windows.js';
import { HistoryFileError, ScenarioError } from '../errors.js';
import { type HistoryLine, LineProblem, lineOf } from './lines.js';
import type {
  ExpectationLine,
  FaultRecord,
  LabRecord,
  MemberRecord,
  Operation,
  PhaseRecord,
  RunHeader,
  RunRecord,
} from './records.js';

/**
 * A history file: one JSON object a line, each with its `type`. A run begins with its `run` line and ends with its `lab`
 * line, so that a file that was cut off anywhere is noticed.
 *
 *     run  phase...  fault...  member...  operation...  lab  |  run ...
 *
 * Both directions stream: a history of a million lines never becomes one string.
 */

/** A cart of some hundred thousand items. Without a limit a file without line ends would be read into one string. */
const lineLengthMax = 16 * 1024 * 1024;
const batchLengthMin = 64 * 1024;

/** Overwrites `file`, or adds to it. Rejects with the error of the file system. */
export async function writeHistory(file: string, runs: readonly RunRecord[], flag: 'a' | 'w' = 'w'): Promise<void> {
  await writeFile(file, batchesOf(runs), { flag });
}

function* batchesOf(runs: readonly RunRecord[]): Generator<string> {
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

/** Rejects with a HistoryFileError that names file and line, what was found there and what was expected. */
export async function readHistory(file: string): Promise<RunRecord[]> {
  const runs = new RunsInFile();
  let lineNumber = 0;
  try {
    for await (const lines of batchesIn(file)) {
      for (const line of lines) {
        lineNumber += 1;
        runs.take(lineOf(withinLimit(line)), lineNumber);
      }
    }
    return runs.all();
  } catch (error) {
    throw explained(error, file, lineNumber);
  }
}

function withinLimit(line: string): string {
  if (line.length <= lineLengthMax) return line;
  throw new LineProblem(`the line is longer than ${lineLengthMax} characters, expected one JSON object a line`);
}

function explained(error: unknown, file: string, line: number): unknown {
  if (error instanceof LineProblem) return new HistoryFileError(`${file}:${Math.max(1, line)}: ${error.message}`);
  if (error instanceof Error && 'code' in error) {
    return new HistoryFileError(`cannot read the history ${file}: ${error.message}`, { cause: error });
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

/** Puts the lines together to runs again, and insists on their order where it shows that something is missing. */
class RunsInFile {
  readonly #done: RunRecord[] = [];
  #current: OpenRun | undefined;

  take(line: HistoryLine, lineNumber: number): void {
    if (line.type === 'run') this.#begin(line, lineNumber);
    else if (this.#current === undefined)
      throw new LineProblem(`expected a run line, found a line of type ${line.type}`);
    else if (line.type === 'lab') this.#end(this.#current, line);
    else this.#current.take(line);
  }

  all(): RunRecord[] {
    if (this.#current !== undefined) throw new LineProblem(this.#current.howItIsCutOff());
    if (this.#done.length === 0) throw new LineProblem('the file is empty, expected a run line');
    return this.#done;
  }

  #begin(header: RunHeader, lineNumber: number): void {
    if (this.#current !== undefined) throw new LineProblem(this.#current.howItIsCutOff());
    beJudgeable(header);
    this.#current = new OpenRun(header, lineNumber);
  }

  #end(run: OpenRun, lab: LabRecord): void {
    this.#done.push(run.closedBy(lab));
    this.#current = undefined;
  }
}

/** What is wrong with an expectation is told where it stands. */
function beJudgeable({ expectations, faults }: RunHeader): void {
  for (const line of expectations) {
    const { during } = understood(line);
    const strange = during === undefined ? undefined : strangeWindow(during, faults);
    if (strange !== undefined) throw new LineProblem(`expectations: ${strange}`);
  }
}

function understood(line: ExpectationLine): Expectation {
  try {
    return parseLine(line);
  } catch (error) {
    throw error instanceof ScenarioError ? new LineProblem(`expectations: ${error.message}`) : error;
  }
}

class OpenRun {
  readonly #ids = new Set<number>();
  readonly #operations: Operation[] = [];
  readonly #phases: PhaseRecord[] = [];
  readonly #faults: FaultRecord[] = [];
  readonly #members: MemberRecord[] = [];

  constructor(
    readonly header: RunHeader,
    readonly lineNumber: number,
  ) {}

  take(line: Operation | PhaseRecord | FaultRecord | MemberRecord): void {
    if (line.type === 'operation') this.#takeOperation(line);
    else if (line.type === 'phase') this.#phases.push(line);
    else if (line.type === 'fault') this.#faults.push(line);
    else this.#members.push(line);
  }

  closedBy(lab: LabRecord): RunRecord {
    return {
      header: this.header,
      operations: this.#operations,
      phases: this.#phases,
      faults: this.#faults,
      members: this.#members,
      lab,
    };
  }

  howItIsCutOff(): string {
    return `the run of line ${this.lineNumber} has no lab line: expected one at its end, the file is cut off`;
  }

  /** An operation has one closing event, however often it was tried. */
  #takeOperation(operation: Operation): void {
    if (this.#ids.has(operation.id)) throw new LineProblem(`operation ${operation.id} occurs twice, expected once`);
    this.#ids.add(operation.id);
    this.#operations.push(operation);
  }
}
