import { STATUS_CODES } from 'node:http';
import type { AddedHeader, AnswerHead } from '../../exchange.js';
import { listConnectionFields } from '../../headers.js';
import {
  answerShape,
  buildFieldPattern,
  chunkedShape,
  codeOf,
  computeFieldCodes,
  fieldOf,
  headEnd,
  invalidHeadStart,
  isPersistent,
  removeField,
  removeFields,
  trimBlankEnd,
} from './head-text.js';

/** The answer fields that a proxy must read. */
export const watchedInAnswers = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'set-cookie',
  'proxy-status',
  'date',
  'holdfast-incarnation',
] as const;
const watched = buildFieldPattern(watchedInAnswers);
const is = computeFieldCodes(watchedInAnswers);

/** The valid head of one answer. */
export class WireAnswerHead implements AnswerHead {
  readonly status: number;
  readonly minor: number;
  readonly reason: string;
  readonly text: string;
  /** -1: no Content-Length. */
  length = -1;
  chunked = false;
  connection: string | undefined;
  keepAlive: string | undefined;
  upgrade: string | undefined;
  dated = false;
  /** Stored here because it is read for each answer. */
  incarnation: string | undefined;
  /** The lines that are forwarded unchanged, each with its line end. */
  kept = '';

  constructor(text: string, status: number, minor: number, reason: string) {
    this.text = text;
    this.status = status;
    this.minor = minor;
    this.reason = reason;
  }

  header(name: string): string | undefined {
    return name === 'holdfast-incarnation' ? this.incarnation : fieldOf(this.text, name);
  }

  /** Whether the backend accepts another request on this connection. */
  get persistent(): boolean {
    // A forbidden body may still arrive, and would be read as the next answer.
    if (this.status === 204 && (this.chunked || this.length > 0)) return false;
    return isPersistent(this.minor, this.connection);
  }
}

/**
 * Parses the head of an answer; undefined if it is malformed or framed in two ways. `text` ends with the line end of
 * the last field line. Drops the backend's own `ownCookie`, which would break the browser's affinity.
 */
export function parseAnswerHead(text: string, ownCookie: string): WireAnswerHead | undefined {
  const line = answerShape.exec(text);
  if (line === null) return undefined;
  const [, minor, status, reason = ''] = line;
  const head = new WireAnswerHead(text, Number(status), minor === '1' ? 1 : 0, reason);
  let from = text.indexOf('\r\n') + 2;
  watched.lastIndex = 0;
  for (let found = watched.exec(text); found !== null; found = watched.exec(text)) {
    const read = readField(head, codeOf(found[1] ?? ''), found[2] ?? '', ownCookie);
    if (read === 'flaw') return undefined;
    if (read === 'keep') continue;
    head.kept += text.slice(from, found.index + 2);
    from = watched.lastIndex + 2;
  }
  head.kept += text.slice(from);
  if ((head.chunked && head.length !== -1) || endsTooEarly(head)) return undefined;
  return removeHopFields(head);
}

/**
 * Whether a head that another answer must follow would look final to other readers. HTTP/1.0 has no interim answers
 * (RFC 9110 §15.2), and nothing follows `Connection: close`. After a switch of protocols no message follows.
 */
function endsTooEarly({ status, minor, connection }: WireAnswerHead): boolean {
  if (status >= 200) return false;
  return minor === 0 || (status !== 101 && !isPersistent(minor, connection));
}

/** `given` may end with white space. Framing fields are checked with it, so that it cannot hide a second meaning. */
function readField(head: WireAnswerHead, code: number, given: string, ownCookie: string): 'keep' | 'drop' | 'flaw' {
  const value = trimBlankEnd(given);
  switch (code) {
    case is['content-length']:
      if (head.length !== -1 || !/^\d{1,15} *$/.test(given)) return 'flaw';
      head.length = Number(value);
      // RFC 9110 §8.6: a client that believed the length would wait for a body that does not come.
      return head.status === 204 || head.status < 200 ? 'drop' : 'keep';
    case is['transfer-encoding']:
      if (head.chunked || head.minor === 0 || !chunkedShape.test(given)) return 'flaw';
      head.chunked = true;
      return 'drop';
    case is['holdfast-incarnation']:
      head.incarnation = head.incarnation === undefined ? value : `${head.incarnation}, ${value}`;
      return 'keep';
    case is.date:
      head.dated = true;
      return 'keep';
    case is['set-cookie']:
      return ownCookie !== '' && value.startsWith(`${ownCookie}=`) ? 'drop' : 'keep';
    case is['proxy-status']:
      // Only the proxy reports on this hop: a backend's statement could be mistaken for ours.
      return /(?:^|,)\s*holdfast\b/i.test(value) ? 'drop' : 'keep';
    default:
      return readHop(head, code, value);
  }
}

function readHop(head: WireAnswerHead, code: number, value: string): 'drop' {
  if (code === is.connection) head.connection = head.connection === undefined ? value : `${head.connection}, ${value}`;
  else if (code === is['keep-alive']) head.keepAlive = value;
  else if (code === is.upgrade) head.upgrade = value;
  return 'drop';
}

function removeHopFields(head: WireAnswerHead): WireAnswerHead {
  if (head.connection !== undefined) head.kept = removeFields(head.kept, listConnectionFields(head.connection));
  return head;
}

/** Builds the client's head up to the lines that frame its body, without the empty line. */
export function buildAnswerHead(head: WireAnswerHead, added: readonly AddedHeader[]): string {
  let { kept } = head;
  let more = '';
  for (const [name, value] of added) {
    if (name !== 'set-cookie') kept = removeField(kept, name);
    more += `${name}: ${value}\r\n`;
  }
  // RFC 9110 §6.6.1: a proxy adds a date to an answer without one.
  const date = head.dated ? '' : buildDateLine(Date.now());
  return `HTTP/1.1 ${head.status} ${head.reason}\r\n${kept}${more}${date}`;
}

/** Builds a 1xx head (RFC 9110 §15.2: a proxy forwards it). */
export function buildInterimHead({ status, reason, kept }: WireAnswerHead): string {
  return `HTTP/1.1 ${status} ${reason}\r\n${kept}\r\n`;
}

/** Limit for interim answers to one request; more are treated as malformed. */
const interimsMax = 64;
/** The number of bytes that show whether this is an HTTP answer. */
const beginningBytes = 256;

/** The awaited head, and where in the bytes its body begins. */
interface ArrivedHead {
  readonly head: WireAnswerHead;
  readonly bytes: Buffer;
  readonly at: number;
}

/** Reads an answer's head from bytes split anywhere, after any interim answers (RFC 9110 §15.2). */
export class AwaitedHead {
  readonly #headerBytesMax: number;
  readonly #ownCookie: string;
  readonly #onInterim: (head: WireAnswerHead) => void;
  #held: Buffer | undefined;
  #interims = 0;

  constructor(headerBytesMax: number, ownCookie: string, onInterim: (head: WireAnswerHead) => void) {
    this.#headerBytesMax = headerBytesMax;
    this.#ownCookie = ownCookie;
    this.#onInterim = onInterim;
  }

  /** Reads the next bytes. A switch of protocols counts as the final answer. */
  read(lent: Buffer): ArrivedHead | 'more' | 'flaw' {
    let rest = this.#held === undefined ? lent : Buffer.concat([this.#held, lent]);
    while (rest.length > 0) {
      const end = rest.indexOf(headEnd);
      if (end === -1) return this.#hold(rest);
      if (end > this.#headerBytesMax) return 'flaw';
      const head = parseAnswerHead(rest.toString('latin1', 0, end + 2), this.#ownCookie);
      if (head === undefined) return 'flaw';
      if (head.status >= 200 || head.status === 101) return { head, bytes: rest, at: end + headEnd.length };
      this.#interims += 1;
      if (this.#interims > interimsMax) return 'flaw';
      this.#onInterim(head);
      rest = rest.subarray(end + headEnd.length);
    }
    this.#held = undefined;
    return 'more';
  }

  #hold(rest: Buffer): 'more' | 'flaw' {
    const text = rest.toString('latin1', 0, beginningBytes);
    const other = !text.startsWith('HTTP/1.'.slice(0, text.length)) || invalidHeadStart.test(text);
    if (other || rest.length > this.#headerBytesMax) return 'flaw';
    this.#held = Buffer.from(rest);
    return 'more';
  }
}

/** Builds the proxy's own answer, including its `connection` line. */
export function buildOwnAnswerText(
  status: number,
  reason: string,
  headers: Readonly<Record<string, string>>,
  { bodyless, connection }: { readonly bodyless: boolean; readonly connection: string },
): string {
  const body = `${reason}\n`;
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: text/plain; charset=utf-8\r\n`;
  head += `content-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\n`;
  for (const name in headers) if (name !== 'connection') head += `${name}: ${headers[name]}\r\n`;
  head += `${buildDateLine(Date.now())}${connection}\r\n`;
  return bodyless ? head : head + body;
}

let line = '';
let madeMs = Number.NEGATIVE_INFINITY;

/** Returns the date line, built once a second. */
function buildDateLine(nowMs: number): string {
  if (nowMs - madeMs >= 1000 || nowMs < madeMs) {
    madeMs = nowMs - (nowMs % 1000);
    line = `date: ${new Date(nowMs).toUTCString()}\r\n`;
  }
  return line;
}

/** Builds the fields of the proxy's own answer to a request that is not valid (RFC 9209). */
export function buildBadRequestFields(outcome: 'not-sent' | 'unknown'): Readonly<Record<string, string>> {
  return { 'proxy-status': `holdfast; error=http_request_error; outcome=${outcome}` };
}
