import { closeSync, openSync, readSync } from 'node:fs';
import { limitLine, lineLengthMax } from './file.js';
import { LineScanner, paddingBytes } from './line-scanner.js';
import { type HistoryLine, kinds, outcomes, parseHistoryLine } from './lines.js';
import { OperationTable, type TableParts } from './operation-table.js';
import { type Source, type StringPool, sourceOf } from './pools.js';
import type { LabRecord, Operation } from './records.js';
import {
  blockMask,
  byteField,
  clearRow,
  flag,
  floatField,
  floatsPerRow,
  identities,
  intField,
  intsPerRow,
  labelsMax,
  outcomeShift,
  type RowBlock,
  rowBytes,
  sessionMax,
  shortField,
  shortsPerRow,
  statusMax,
} from './rows.js';

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

const known: ReadonlySet<string> = new Set([
  ...['type', 'id', 'user', 'kind', 'session', 'token', 'plannedMs', 'sentMs', 'doneMs', 'outcome', 'status', 'error'],
  ...['identity', 'items', 'backend', 'incarnation', 'proxy', 'key', 'final', 'extra', 'keptId', 'version'],
  'renewed',
]);
const labels = ['error', 'backend', 'incarnation', 'proxy', 'key', 'version'] as const;
/** One half of a surrogate pair: UTF-8 cannot encode it. */
const loneSurrogate = /\p{Surrogate}/u;

/** A user name that a table cannot keep, because UTF-8 cannot encode it. */
class UnkeepableUser extends Error {}

/** Adds an operation of a line that the scanner did not take, and that `parseHistoryLine` accepted. Throws
 * `UnkeepableUser`. */
function addOperation(table: OperationTable, operation: Operation): void {
  const { user } = operation;
  if (loneSurrogate.test(user)) throw new UnkeepableUser(user);
  const block = table.nextBlock();
  const row = table.length & blockMask;
  clearRow(block, row);
  const int = row * intsPerRow;
  block.ints[int + intField.user] = internOrdinal(table.users, user);
  if (!fits(operation) || !writeRow(table, operation, block, row)) {
    clearRow(block, row);
    block.bytes[row * rowBytes + byteField.flags] = flag.odd;
    table.odd.set(table.length, operation);
  }
  table.keepRow();
}

/** Whether a row can hold the operation. `writeRow` checks the labels and the cart. */
function fits(operation: Operation): boolean {
  const { session, status = 0, token = '', items = [], identity } = operation;
  return (
    Object.keys(operation).every(name => known.has(name)) &&
    Object.is(session, session & sessionMax) &&
    Object.is(status, status & 0xffff) &&
    status <= statusMax &&
    ![token, identity ?? '', ...items, ...labels.map(label => operation[label] ?? '')].some(text =>
      loneSurrogate.test(text),
    )
  );
}

/** Writes the row. Returns false if there are too many labels, or the cart is too long. */
function writeRow(table: OperationTable, operation: Operation, block: RowBlock, row: number): boolean {
  const { id, kind, session, plannedMs, sentMs, doneMs, outcome, token, status } = operation;
  const [float, int, short, byte] = [row * floatsPerRow, row * intsPerRow, row * shortsPerRow, row * rowBytes];
  const user = block.ints[int + intField.user] ?? 0;
  block.floats[float + floatField.planned] = plannedMs;
  block.floats[float + floatField.sent] = sentMs;
  block.floats[float + floatField.done] = doneMs;
  block.floats[float + floatField.id] = id;
  block.ints[int + intField.session] = session;
  if (token !== undefined) block.ints[int + intField.token] = table.tokens.internText(token, user) + 1;
  block.ints[int + intField.identity] = identityOf(operation, table);
  if (status !== undefined) block.shorts[short + shortField.status] = status + 1;
  block.bytes[byte + byteField.kind] = kinds.indexOf(kind) | (outcomes.indexOf(outcome) << outcomeShift);
  block.bytes[byte + byteField.flags] = flagsOf(operation);
  const cart = cartOf(operation, table, user);
  block.ints[int + intField.cart] = cart + 1;
  return writeLabels(table, operation, block, short) && (cart >= 0 || operation.items === undefined);
}

function internOrdinal(pool: StringPool, text: string): number {
  return pool.ordinal(pool.internText(text, 0));
}

function identityOf({ identity, user }: Operation, { users }: OperationTable): number {
  if (identity === undefined) return identities.absent;
  if (identity === null) return identities.anonymous;
  return identity === user ? identities.own : identities.other + internOrdinal(users, identity);
}

function flagsOf({ final, extra, keptId, renewed }: Operation): number {
  const ofLogin = (extra ? flag.extra : 0) | (keptId ? flag.keptId : 0);
  return (final ? flag.final : 0) | ofLogin | (renewed ? flag.renewed : 0);
}

/** Adds the cart and returns its number. Returns -1 if there is none, or it is too long. */
function cartOf({ items }: Operation, { tokens, carts }: OperationTable, user: number): number {
  if (items === undefined) return -1;
  return carts.add(
    Int32Array.from(items, item => tokens.internText(item, user)),
    items.length,
  );
}

function writeLabels(table: OperationTable, operation: Operation, block: RowBlock, short: number): boolean {
  for (const name of labels) {
    const text = operation[name];
    if (text === undefined) continue;
    const label = internOrdinal(table.labels, text);
    if (label > labelsMax) return false;
    block.shorts[short + shortField[name]] = label + 1;
  }
  return true;
}
