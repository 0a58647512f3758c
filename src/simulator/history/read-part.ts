import { closeSync, openSync, readSync } from 'node:fs';
import { addOperation } from './add-operation.js';
import { limitLine, lineLengthMax } from './file.js';
import { LineScanner, paddingBytes } from './line-scanner.js';
import { type HistoryLine, parseHistoryLine } from './lines.js';
import { OperationTable, type TableParts } from './operation-table.js';
import type { LabRecord, Operation } from './records.js';
import { type Source, sourceOf } from './string-pool.js';

/** The part of a file to read: the lines that begin within these bytes. */
export interface PartWanted {
  readonly file: string;
  readonly from: number;
  readonly to: number;
}

/** Lines of one run in this part. The header comes first if it is in this part, and the lab line last. */
export interface Segment {
  readonly lines: readonly Exclude<HistoryLine, Operation | LabRecord>[];
  readonly table: TableParts;
  readonly lab?: LabRecord;
}

/** An estimate of bytes in the file per token, so that the memory for tokens seldom grows. */
const bytesPerToken = 450;
const chunkBytes = 4 * 1024 * 1024;
const lineEnd = 0x0a;
/** A character of 16 bits takes at most three bytes. */
const lineBytesMax = 3 * lineLengthMax + chunkBytes;

/** Reads one part of a file. Throws what `parseHistoryLine` throws, or the error of the file system. It does not check
 * whether ids occur twice. */
export function readPart({ file, from, to }: PartWanted): Segment[] {
  const reader = new SegmentReader(to - from);
  const descriptor = openSync(file, 'r');
  try {
    let source = newSource(chunkBytes);
    let kept = 0;
    // The byte before `from` shows whether a line begins at `from`.
    let position = Math.max(0, from - 1);
    let isBehindLineEnd = from === 0;
    for (;;) {
      if (kept * 2 > source.bytes.length) source = growSource(source, kept);
      const read = readSync(descriptor, source.bytes, kept, source.bytes.length - paddingBytes - kept, position + kept);
      const end = kept + read;
      // The scanner stops at this line end at the latest.
      source.bytes[end] = lineEnd;
      const first = isBehindLineEnd ? 0 : source.bytes.indexOf(lineEnd) + 1;
      isBehindLineEnd ||= first <= end;
      const next = reader.takeLines(source, Math.min(first, end), { end, until: to - position, isLast: read === 0 });
      if (read === 0 || position + next >= to) return reader.all();
      source.bytes.copyWithin(0, next, end);
      kept = end - next;
      position += next;
    }
  } finally {
    closeSync(descriptor);
  }
}

interface Bytes extends Source {
  readonly bytes: Buffer;
}

function newSource(length: number): Bytes {
  const bytes = Buffer.alloc(length + paddingBytes);
  return { ...sourceOf(bytes), bytes };
}

function growSource({ bytes }: Bytes, kept: number): Bytes {
  if (kept > lineBytesMax) throw new RangeError('a line is too long');
  const next = newSource(bytes.length * 2);
  bytes.copy(next.bytes, 0, 0, kept);
  return next;
}

interface Limits {
  /** Where the bytes that were read end. */
  readonly end: number;
  /** Lines that begin here or later belong to the next part. */
  readonly until: number;
  /** Whether the file ends at `end`. */
  readonly isLast: boolean;
}

class SegmentReader {
  readonly #done: Segment[] = [];
  readonly #expectedTokens: number;
  #current: OpenSegment | undefined;

  constructor(bytes: number) {
    this.#expectedTokens = Math.floor(bytes / bytesPerToken);
  }

  /** Returns the start of the first line that is incomplete or belongs to the next part. */
  takeLines(source: Bytes, first: number, limits: Limits): number {
    let from = first;
    while (from < limits.end && from < limits.until) {
      const to = this.#takeLine(source, from, limits);
      if (to < 0) return from;
      from = to + 1;
    }
    return from;
  }

  all(): Segment[] {
    this.#end();
    return this.#done;
  }

  /** Returns where the line ends, or -1 if it is incomplete. */
  #takeLine(source: Bytes, from: number, { end, isLast }: Limits): number {
    this.#current ??= new OpenSegment(this.#expectedTokens);
    const scannedTo = this.#current.scanner.scan(source, from);
    if (scannedTo >= 0 && (scannedTo < end || isLast)) {
      this.#current.table.keepRow();
      return scannedTo;
    }
    const to = source.bytes.indexOf(lineEnd, from);
    if (to === end && !isLast) return -1;
    this.#take(parseHistoryLine(limitLine(source.bytes.toString('utf8', from, to))), this.#current);
    return to;
  }

  #take(line: HistoryLine, current: OpenSegment): void {
    if (line.type === 'operation') addOperation(current.table, line);
    else if (line.type === 'lab') this.#end(line);
    else {
      if (line.type === 'run') this.#end();
      this.#current ??= new OpenSegment(this.#expectedTokens);
      this.#current.lines.push(line);
    }
  }

  #end(lab?: LabRecord): void {
    const { lines = [], table = new OperationTable() } = this.#current ?? {};
    this.#current = undefined;
    if (lab !== undefined || lines.length > 0 || table.length > 0) {
      this.#done.push({ lines, table: table.parts(), ...(lab && { lab }) });
    }
  }
}

class OpenSegment {
  readonly lines: Exclude<HistoryLine, Operation | LabRecord>[] = [];
  readonly table: OperationTable;
  readonly scanner: LineScanner;

  constructor(expectedTokens: number) {
    this.table = new OperationTable(undefined, expectedTokens);
    this.scanner = new LineScanner(this.table);
  }
}
