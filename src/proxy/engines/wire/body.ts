import { forbiddenInTrailers } from '../../headers.js';
import { extensionShape, trailerShape } from './head-text.js';

/*
 * The body of one message: where it ends in the bytes of its connection, and how a request body is kept for another
 * backend.
 */

/** Tracks how many bytes of a connection belong to the body of one message (RFC 9112 §6.3). */
export interface WireBody {
  readonly done: boolean;
  /** It was longer than allowed, so `read` returned -1. */
  readonly tooLong?: boolean;
  /**
   * Reads from `at` on and adds the bytes to forward to `out`. Returns where the body or the bytes end. Returns -1 for
   * malformed bytes; then nothing of this call may be forwarded.
   */
  read(bytes: Buffer, at: number, out: Buffer[]): number;
}

export const noBody: WireBody = { done: true, read: (_, at) => at };

class Counted implements WireBody {
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  read(bytes: Buffer, at: number, out: Buffer[]): number {
    const to = Math.min(bytes.length, at + this.#left);
    this.#left -= to - at;
    if (to > at) out.push(at === 0 && to === bytes.length ? bytes : bytes.subarray(at, to));
    return to;
  }
}

/** A body that ends with its connection. The client gets it in chunks, or as it is. */
class UntilClose implements WireBody {
  readonly done = false;
  readonly #chunked: boolean;

  constructor(chunked: boolean) {
    this.#chunked = chunked;
  }

  read(bytes: Buffer, at: number, out: Buffer[]): number {
    const data = bytes.subarray(at);
    if (data.length === 0) return bytes.length;
    if (this.#chunked) out.push(Buffer.from(`${data.length.toString(16)}\r\n`), data, lineEnd);
    else out.push(data);
    return bytes.length;
  }
}

const lineEnd = Buffer.from('\r\n');

/** `bytesMax`: the longest chunked body; 0: no limit. */
export function makeRequestBody(
  { chunked, length }: { readonly chunked: boolean; readonly length: number },
  bytesMax = 0,
): WireBody {
  if (chunked) return new Chunks(false, bytesMax);
  return length > 0 ? new Counted(length) : noBody;
}

/** `how`: how the client learns where the body ends. */
export function makeAnswerBody(
  { chunked, length }: { readonly chunked: boolean; readonly length: number },
  how: 'chunks' | 'closing',
): WireBody {
  if (chunked) return new Chunks(how === 'closing');
  if (length === 0) return noBody;
  return length > 0 ? new Counted(length) : new UntilClose(how === 'chunks');
}

const cr = 13;
const lf = 10;
/** The largest chunk. A reader that counts in 32 bits would read a larger size as another number. */
const chunkBytesMax = 2 ** 31 - 1;
/** With leading zeros. */
const digitsMax = 12;
/** Limit for the extensions and trailers of one body together. */
const extraBytesMax = 16 * 1024;

type State = 'size' | 'extension' | 'size end' | 'data' | 'data cr' | 'data lf' | 'trailer' | 'done';

/**
 * Reads a chunked body (RFC 9112 §7.1) as it arrives, split anywhere. The bytes are forwarded unchanged, with two
 * exceptions. Extensions are removed: they are hop-by-hop, and their only real use is to make two readers disagree.
 * With `plain` only the data is forwarded, without chunks.
 */
class Chunks implements WireBody {
  readonly #plain: boolean;
  #state: State = 'size';
  #digits = 0;
  #size = 0;
  #extension = '';
  #extraBytes = 0;
  #trailer = '';
  #bytesLeft: number;

  /** `bytesMax`: the longest body, without its framing; 0: no limit. */
  constructor(plain: boolean, bytesMax = 0) {
    this.#plain = plain;
    this.#bytesLeft = bytesMax === 0 ? Number.POSITIVE_INFINITY : bytesMax;
  }

  get tooLong(): boolean {
    return this.#bytesLeft < 0;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  read(bytes: Buffer, at: number, out: Buffer[]): number {
    // Start of the bytes to forward; -1 while reading bytes that are not forwarded.
    let from = this.#state === 'extension' || this.#trailer !== '' ? -1 : at;
    let next = at;
    while (next < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        next = this.#readData(bytes, next, out);
        continue;
      }
      if (this.#state === 'trailer') {
        if (this.#trailer === '' && bytes[next] === cr && bytes[next + 1] === lf) {
          this.#state = 'done';
          next += 2;
          continue;
        }
        if (from !== -1) this.#pass(bytes, from, next, out);
        from = -1;
        next = this.#readTrailer(bytes, next, out);
        if (next === -1) return -1;
        continue;
      }
      const before = this.#state;
      if (!this.#readFraming(bytes[next] ?? 0)) return -1;
      if (this.#state === 'extension' && from !== -1) {
        this.#pass(bytes, from, next, out);
        from = -1;
      } else if (before === 'extension' && this.#state === 'size end') from = next;
      next += 1;
    }
    if (from !== -1) this.#pass(bytes, from, next, out);
    return next;
  }

  #pass(bytes: Buffer, from: number, to: number, out: Buffer[]): void {
    if (!this.#plain && to > from) out.push(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  #readData(bytes: Buffer, at: number, out: Buffer[]): number {
    const to = Math.min(bytes.length, at + this.#size);
    if (this.#plain) out.push(bytes.subarray(at, to));
    this.#size -= to - at;
    if (this.#size === 0) this.#state = 'data cr';
    return to;
  }

  /** Reads one byte of the framing around the data; false when it is not allowed there. */
  #readFraming(byte: number): boolean {
    switch (this.#state) {
      case 'size':
        return this.#readSize(byte);
      case 'extension':
        return this.#readExtension(byte);
      case 'size end':
        this.#state = this.#size === 0 ? 'trailer' : 'data';
        this.#digits = 0;
        this.#bytesLeft -= this.#size;
        return byte === lf && this.#bytesLeft >= 0;
      case 'data cr':
        this.#state = 'data lf';
        return byte === cr;
      default:
        this.#state = 'size';
        return byte === lf;
    }
  }

  #readSize(byte: number): boolean {
    const digit = parseHexDigit(byte);
    if (digit !== -1) {
      this.#digits += 1;
      this.#size = this.#size * 16 + digit;
      return this.#digits <= digitsMax && this.#size <= chunkBytesMax;
    }
    if (this.#digits === 0) return false;
    if (byte === cr) this.#state = 'size end';
    else if (byte !== 59) return false;
    else {
      this.#state = 'extension';
      this.#extension = ';';
    }
    return true;
  }

  #readExtension(byte: number): boolean {
    if (byte === cr) {
      this.#state = 'size end';
      return extensionShape.test(this.#extension);
    }
    this.#extraBytes += 1;
    this.#extension += String.fromCharCode(byte);
    return this.#extraBytes <= extraBytesMax;
  }

  /** Reads the trailers. They are held until complete, because only then can they be checked. */
  #readTrailer(bytes: Buffer, at: number, out: Buffer[]): number {
    const text = this.#trailer + bytes.toString('latin1', at);
    const end = text.startsWith('\r\n') ? 2 : text.indexOf('\r\n\r\n') + 4;
    if (end === 3) {
      this.#trailer = text;
      return text.length > extraBytesMax ? -1 : bytes.length;
    }
    const section = text.slice(0, end);
    if (section.length > extraBytesMax || !trailerShape.test(section) || forbiddenInTrailers.test(section)) return -1;
    if (!this.#plain) out.push(Buffer.from(section, 'latin1'));
    this.#state = 'done';
    return at + end - this.#trailer.length;
  }
}

function parseHexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** A body up to this length that came with its head is written with its head, as one text. */
const togetherBytesMax = 8 * 1024;

/** Returns the parts as text. Undefined: too long, or several parts. */
export function toShortText(parts: readonly Buffer[]): string | undefined {
  const [first] = parts;
  if (first === undefined) return '';
  return parts.length === 1 && first.length <= togetherBytesMax ? first.toString('latin1') : undefined;
}

/** The present destination of a request body. */
type Sink = (parts: readonly Buffer[], complete: boolean) => void;

/**
 * The body of one request, sent to one backend after the other. Bytes already read are kept up to a limit, as they are
 * sent, and sent again to the next backend.
 */
export class WireUpload {
  /** Shared by all requests without a body. */
  static readonly none = new WireUpload('', 0);
  /** The whole body, one character for each byte, if it arrived with its head. Then it is never passed in parts. */
  readonly #whole: string | undefined;
  readonly #keepBytesMax: number;
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #complete: boolean;
  #sink: Sink | undefined;

  constructor(whole: string | undefined, keepBytesMax: number) {
    this.#whole = whole;
    this.#complete = whole !== undefined;
    this.#keepBytesMax = keepBytesMax;
  }

  /** The bytes that were read for a backend, with the lines of chunks. */
  get bytes(): number {
    return this.#keptBytes;
  }

  /** The client has sent the whole body. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Everything read so far can be sent again from the beginning. */
  get replayable(): boolean {
    return this.#kept !== undefined;
  }

  /** Returns the whole body for a backend; undefined if it did not arrive with its head. */
  pourWhole(): string | undefined {
    if (this.#whole === undefined) return undefined;
    this.#count(this.#whole.length);
    return this.#whole;
  }

  /** Sends the body to `sink`, beginning with the bytes already read. */
  pour(sink: Sink): void {
    this.#sink = sink;
    if (this.#keptBytes > 0) sink(this.#kept ?? [], this.#complete);
  }

  stop(): void {
    this.#sink = undefined;
  }

  pass(parts: readonly Buffer[], complete: boolean): void {
    this.#complete = complete;
    for (const part of parts) this.#keep(part);
    this.#sink?.(parts, complete);
  }

  /** Keeps a copy, because the bytes may be lent (see `Reads`). */
  #keep(part: Buffer): void {
    this.#count(this.#keptBytes + part.length);
    this.#kept?.push(Buffer.from(part));
  }

  /** Sets the number of bytes that were read. Too many are not kept. */
  #count(bytes: number): void {
    this.#keptBytes = bytes;
    if (bytes > this.#keepBytesMax) this.#kept = undefined;
  }
}
