import type { AddedHeader, AnswerHead } from '../../exchange.js';
import { namedInConnection } from '../../hop-by-hop.js';
import { codeOf, fieldCodes, fieldOf, watchedFields, withoutField, withoutNamed } from './fields.js';
import { answerShape, persists, trimmedEnd } from './grammar.js';
import { dateLine } from './http-date.js';

/** What a proxy must look at in an answer. */
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
const watched = watchedFields(watchedInAnswers);
const is = fieldCodes(watchedInAnswers);

/** The head of one answer that is in order. */
export class WireAnswerHead implements AnswerHead {
  readonly status: number;
  readonly minor: number;
  readonly reason: string;
  readonly text: string;
  /** -1: none given. */
  length = -1;
  chunked = false;
  connection: string | undefined;
  keepAlive: string | undefined;
  upgrade: string | undefined;
  dated = false;
  /** Asked for with each answer. */
  incarnation: string | undefined;
  /** The lines that are passed on as they came, each with its line end. */
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

  /** The backend takes another request on this connection. */
  get persistent(): boolean {
    // A body that there must not be may come all the same, and would be taken for the next answer.
    if (this.status === 204 && (this.chunked || this.length > 0)) return false;
    return persists(this.minor, this.connection);
  }
}

/**
 * Undefined for what is no answer that can be passed on: malformed, or framed in two ways. `text` ends with the line end
 * of the last field line. The backend cannot set the cookie `ownCookie`: its browser would lose its way back.
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
  return withoutHop(head);
}

/**
 * An answer is to follow, and other readers take this for the last message: there are no interim answers in HTTP/1.0 (RFC
 * 9110 §15.2), and nothing comes behind `Connection: close`. What comes behind a switch of protocols is no message.
 */
function endsTooEarly({ status, minor, connection }: WireAnswerHead): boolean {
  if (status >= 200) return false;
  return minor === 0 || (status !== 101 && !persists(minor, connection));
}

/** `given` may have white space at its end: not where it could hide that a framing is not what it seems. */
function readField(head: WireAnswerHead, code: number, given: string, ownCookie: string): 'keep' | 'drop' | 'flaw' {
  const value = trimmedEnd(given);
  switch (code) {
    case is['content-length']:
      if (head.length !== -1 || !/^\d{1,15} *$/.test(given)) return 'flaw';
      head.length = Number(value);
      // RFC 9110 §8.6: whoever believed it would wait for a body that does not come.
      return head.status === 204 || head.status < 200 ? 'drop' : 'keep';
    case is['transfer-encoding']:
      if (head.chunked || head.minor === 0 || given.toLowerCase() !== 'chunked') return 'flaw';
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
      // Only the proxy speaks for itself: a backend's word on what this hop did would be taken for ours.
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

function withoutHop(head: WireAnswerHead): WireAnswerHead {
  if (head.connection !== undefined) head.kept = withoutNamed(head.kept, namedInConnection(head.connection));
  return head;
}

/** The head for the client up to the lines that frame its body, without the empty line. */
export function answerHeadFor(head: WireAnswerHead, added: readonly AddedHeader[]): string {
  let { kept } = head;
  let more = '';
  for (const [name, value] of added) {
    if (name !== 'set-cookie') kept = withoutField(kept, name);
    more += `${name}: ${value}\r\n`;
  }
  // RFC 9110 §6.6.1: whoever forwards an answer without a date gives it one.
  const date = head.dated ? '' : dateLine(Date.now());
  return `HTTP/1.1 ${head.status} ${head.reason}\r\n${kept}${more}${date}`;
}

/** A head of the 1xx kind (RFC 9110 §15.2: a proxy passes it on). */
export function interimHead({ status, reason, kept }: WireAnswerHead): string {
  return `HTTP/1.1 ${status} ${reason}\r\n${kept}\r\n`;
}
