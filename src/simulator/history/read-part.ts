import { closeSync, openSync, readSync } from 'node:fs';
import { addOperation } from './add-operation.js';
import { lineLengthMax, withinLimit } from './file.js';
import { LineScanner, partOf, scanned, sparedBytes } from './line-scanner.js';
import { lineOf } from './lines.js';
import { OperationTable, type TableParts } from './operation-table.js';
import type { Operation, RunRecord } from './records.js';
import { type OperationSink, RunsInFile } from './runs-in-file.js';
import { hashOf, type Source, sourceOf } from './string-pool.js';

/** One part of a history: the operations of some of its users, and all the rest. */
export interface RunPart extends Omit<RunRecord, 'operations'> {
  readonly table: TableParts;
}

/** Which part to read: of the users of a file, those whose names fall to this number. */
export interface PartWanted {
  readonly file: string;
  readonly part: number;
  readonly parts: number;
}

const chunkBytes = 4 * 1024 * 1024;
const lineEnd = 0x0a;
/** A character of 16 bits takes at most three bytes. */
const lineBytesMax = 3 * lineLengthMax + chunkBytes;

/** Thrown where a file cannot be read in parts. The file itself may be right. */
export class NotInParts extends Error {}

/** Throws a LineProblem, NotInParts, or the error of the file system. Ids of other parts are not compared. */
export function readPart(wanted: PartWanted): RunPart[] {
  const reader = new PartReader(wanted);
  const descriptor = openSync(wanted.file, 'r');
  try {
    let chunk: Buffer = Buffer.alloc(chunkBytes + sparedBytes);
    let source = sourceOf(chunk);
    let kept = 0;
    for (;;) {
      if (kept * 2 > chunk.length) {
        chunk = longer(chunk, kept);
        source = sourceOf(chunk);
      }
      const read = readSync(descriptor, chunk, kept, chunk.length - sparedBytes - kept, null);
      const end = kept + read;
      // The scanner stops at a line end at the latest.
      chunk[end] = lineEnd;
      const from = reader.takeLines(chunk, source, end, read === 0);
      if (read === 0) return reader.all();
      chunk.copyWithin(0, from, end);
      kept = end - from;
    }
  } finally {
    closeSync(descriptor);
  }
}

function longer(chunk: Buffer, kept: number): Buffer {
  if (kept > lineBytesMax) throw new NotInParts('a line is too long');
  const next = Buffer.alloc(chunk.length * 2);
  chunk.copy(next, 0, 0, kept);
  return next;
}

class PartReader {
  readonly #part: number;
  readonly #parts: number;
  readonly #runs: RunsInFile<PartSink>;
  #lineNumber = 0;

  constructor({ part, parts }: PartWanted) {
    this.#part = part;
    this.#parts = parts;
    this.#runs = new RunsInFile(() => new PartSink(part, parts));
  }

  /** Returns where the first line begins that is not whole. */
  takeLines(chunk: Buffer, source: Source, end: number, isLast: boolean): number {
    let from = 0;
    while (from < end) {
      const to = this.#takeLine(chunk, source, from, end, isLast);
      if (to < 0) return from;
      from = to + 1;
      this.#lineNumber += 1;
    }
    return from;
  }

  all(): RunPart[] {
    return this.#runs.all().map(({ sink, ...run }) => ({ ...run, table: sink.table.parts() }));
  }

  /** Returns where the line ends, or -1 if it is not whole. */
  #takeLine(chunk: Buffer, source: Source, from: number, end: number, isLast: boolean): number {
    const { sink } = this.#runs;
    const scannedTo = sink === undefined ? scanned.unknown : sink.scanner.scan(source, from, sink.operations);
    if (scannedTo >= 0 && (scannedTo < end || isLast)) {
      sink?.keep();
      return scannedTo;
    }
    const to = chunk.indexOf(lineEnd, from);
    if (to === end && !isLast) return -1;
    if (scannedTo === scanned.foreign) sink?.pass();
    else this.#takeText(chunk.toString('utf8', from, to), sink);
    return to;
  }

  #takeText(text: string, sink: PartSink | undefined): void {
    const line = lineOf(withinLimit(text));
    if (line.type !== 'operation' || sink === undefined) this.#runs.take(line, this.#lineNumber + 1);
    else if (this.#isOwn(line)) sink.take(line);
    else if (sink.scanner.tookUser) throw new NotInParts('a line names two users');
    else sink.pass();
  }

  #isOwn({ user }: Operation): boolean {
    const name = Buffer.from(user);
    return partOf(hashOf(name, 0), this.#parts) === this.#part;
  }
}

class PartSink implements OperationSink {
  readonly table = new OperationTable();
  readonly scanner: LineScanner;
  /** Of all parts. */
  operations = 0;

  constructor(part: number, parts: number) {
    this.scanner = new LineScanner(this.table, part, parts);
  }

  take(operation: Operation): void {
    addOperation(this.table, operation, this.operations);
    this.operations += 1;
  }

  /** The row that was scanned last. */
  keep(): void {
    this.table.keepRow();
    this.operations += 1;
  }

  /** An operation of another part. */
  pass(): void {
    this.operations += 1;
  }
}
