import {
  type EngineLimits,
  longBody,
  longHead,
  longTarget,
  malformed,
  type RequestFlaw,
  tooManyEmptyLines,
} from '../../exchange.js';
import { headEnd, invalidHeadStart } from './head-text.js';
import { parseRequestHead, RequestHead } from './request-head.js';

/** Over the limit a head gets 414 instead of 431 if its first line alone is longer than this. */
export const targetBytesMax = 8 * 1024;
/** Four empty lines before a request are ignored; more are malformed. */
const emptyBytesMax = 4 * 2;
/** Enough for the log. */
const beginningBytes = 2048;

const cr = 13;
const lf = 10;

type HeadLimits = Pick<EngineLimits, 'headerBytesMax' | 'headerFieldsMax' | 'bodyBytesMax'>;

/** The unread bytes of a client. Finds heads in them, wherever the network split them. */
export class Incoming {
  readonly #limits: HeadLimits;
  #rest: Buffer | undefined;
  /** No head ends before this position. */
  #searchedTo = 0;
  /** Bytes of the empty lines before the next head that are not kept. */
  #emptyBytes = 0;
  /** A head that is not valid. */
  #flawed: string | undefined;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#rest?.length ?? 0;
  }

  add(bytes: Buffer): void {
    this.#rest = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes]);
  }

  /** Returns all bytes; the caller owns them. */
  take(): Buffer | undefined {
    const rest = this.#rest;
    this.clear();
    return rest;
  }

  clear(): void {
    this.#rest = undefined;
    this.#searchedTo = 0;
  }

  /** Copies the bytes if they are lent: they must not be kept (see `Reads`). */
  copyIfOf(lent: Buffer): void {
    if (this.#rest?.buffer === lent.buffer) this.#rest = Buffer.from(this.#rest);
  }

  /**
   * Fast path for the usual case: nothing is kept, and `text` begins with a whole head. Returns where the head ends;
   * -1: it does not begin with one.
   */
  endOfHeadIn(text: string): number {
    if (this.#emptyBytes > 0 || text.charCodeAt(0) === cr) return -1;
    const end = text.indexOf(headEnd);
    return end === -1 || end > this.#limits.headerBytesMax ? -1 : end + headEnd.length;
  }

  /** Parses a head that ends at `end` (see `endOfHeadIn`). */
  headIn(text: string, end: number): RequestHead | RequestFlaw {
    return this.#parse(text.slice(0, end - 2));
  }

  #parse(text: string): RequestHead | RequestFlaw {
    const head = parseRequestHead(text, this.#limits.headerFieldsMax);
    if (head instanceof RequestHead && !this.#isTooLong(head)) return head;
    this.#flawed = text;
    return head instanceof RequestHead ? longBody : head;
  }

  #isTooLong({ length }: RequestHead): boolean {
    const { bodyBytesMax } = this.#limits;
    return bodyBytesMax > 0 && length > bodyBytesMax;
  }

  /** The beginning of the head that is incomplete or not valid. */
  get beginning(): string {
    return this.#flawed ?? this.#rest?.toString('latin1', 0, beginningBytes) ?? '';
  }

  /** Returns the next head; undefined if it is incomplete. After a flaw nothing more can be read. */
  nextHead(): RequestHead | RequestFlaw | undefined {
    const bytes = this.#rest;
    if (bytes === undefined) return undefined;
    // RFC 9112 §2.2: empty lines before a request are ignored; some clients send one after a body.
    let start = 0;
    while (bytes[start] === cr && bytes[start + 1] === lf) start += 2;
    const emptyBytes = this.#emptyBytes + start;
    if (emptyBytes > emptyBytesMax) return tooManyEmptyLines;
    const end = bytes.indexOf(headEnd, Math.max(start, this.#searchedTo - headEnd.length));
    const headBytes = (end === -1 ? bytes.length : end) - start;
    if (emptyBytes + headBytes > this.#limits.headerBytesMax) return tooLong(bytes, start);
    if (end === -1) return this.#waitOn(bytes, start);
    const next = end + headEnd.length;
    this.#searchedTo = 0;
    this.#emptyBytes = 0;
    this.#rest = next === bytes.length ? undefined : bytes.subarray(next);
    return this.#parse(bytes.toString('latin1', start, end + 2));
  }

  #waitOn(bytes: Buffer, start: number): RequestFlaw | undefined {
    if (start === bytes.length) {
      this.clear();
      this.#emptyBytes += start;
    } else this.#searchedTo = bytes.length;
    return invalidHeadStart.test(bytes.toString('latin1', start)) ? malformed : undefined;
  }
}

function tooLong(bytes: Buffer, start: number): RequestFlaw {
  const line = bytes.indexOf('\r\n', start);
  return line === -1 || line - start > targetBytesMax ? longTarget : longHead;
}
