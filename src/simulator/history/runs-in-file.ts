import { type Expectation, parseLine } from '../checker/verdict/expectations.js';
import { describeUnknownWindow } from '../checker/verdict/windows.js';
import { ScenarioError } from '../errors.js';
import { type HistoryLine, LineProblem } from './lines.js';
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

/** Receives the operations of one run. */
export interface OperationSink {
  /** Takes an operation. Throws a `LineProblem` if it took one with the same id before. */
  take(operation: Operation): void;
}

/** A run that was read, with the sink that took its operations. */
export interface RunRead<Sink> extends Omit<RunRecord, 'operations'> {
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
