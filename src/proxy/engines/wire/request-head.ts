import { METHODS } from 'node:http';
import {
  badCoding,
  badExpectation,
  badTarget,
  bodyOnUpgrade,
  buildFlaw,
  buildTooManyFields,
  malformed,
  type RequestFlaw,
  unknownMethod,
} from '../../exchange.js';
import { listConnectionFields, lookalikePattern, proxyOnlyFields } from '../../headers.js';
import {
  buildFieldPattern,
  chunkedShape,
  codeOf,
  computeFieldCodes,
  fieldOf,
  isPersistent,
  lowerCase,
  removeFields,
  requestShape,
  trimBlankEnd,
} from './head-text.js';

/**
 * The request fields that a proxy must read. All are removed from the forwarded lines. Some are written anew; the
 * others are hop-by-hop or can only be set by a proxy.
 */
export const watchedInRequests = [
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'cookie',
  'upgrade',
  'expect',
  ...proxyOnlyFields,
  'te',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'http2-settings',
  'holdfast-affinity',
] as const;
const watched = buildFieldPattern(watchedInRequests, lookalikePattern);
const is = computeFieldCodes(watchedInRequests);
/** Fields that `watched` removes, whatever the dispatcher's edits. */
export const alwaysDropped: ReadonlySet<string> = new Set(['holdfast-affinity']);

const methods: ReadonlySet<string> = new Set(METHODS.filter(method => method !== 'CONNECT'));
/** RFC 3986 §3.2.2, and a port. */
const hostShape = /^(?:[\w.~!$&'()*+,;=%-]+|\[[\da-fA-F:.]+\])(?::\d*)?$/;
const plainConnections: ReadonlySet<string> = new Set(['keep-alive', 'close', 'upgrade']);
/** The shortest field line. A shorter head cannot have too many fields. */
const fieldBytesMin = 4;

const badHost = buildFlaw('host', 'Exactly one Host field with the name of a host is expected.');
const badLength = buildFlaw('framing', 'One Content-Length, of digits alone, is expected.');
const bothFramings = buildFlaw('framing', 'Content-Length and Transfer-Encoding exclude each other.');

/** One valid request head. */
export class RequestHead {
  /** The original text, for fields that are read later. */
  readonly text: string;
  readonly method: string;
  /** The original target, for the dispatcher. */
  readonly target: string;
  /** Path and query for the backend. */
  path: string;
  /** 0 or 1. */
  readonly minor: number;
  host: string | undefined;
  /** -1: no Content-Length. */
  length = -1;
  chunked = false;
  connection: string | undefined;
  cookie: string | undefined;
  offered: string | undefined;
  expectsContinue = false;
  forwarded: string | undefined;
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
  /** The lines that are forwarded unchanged, each with its line end. */
  kept = '';

  constructor(text: string, method: string, target: string, minor: number) {
    this.text = text;
    this.method = method;
    this.target = target;
    this.path = target;
    this.minor = minor;
  }

  get hasBody(): boolean {
    return this.chunked || this.length > 0;
  }

  /** Whether it asks for a WebSocket. Other offers are declined by not forwarding them (RFC 9110 §7.8). */
  get upgrade(): boolean {
    if (this.offered === undefined || this.minor === 0) return false;
    return this.offered.toLowerCase() === 'websocket' && /(?:^|[ \t,])upgrade(?:$|[ \t,])/i.test(this.connection ?? '');
  }

  /** Whether the client accepts another answer on this connection. */
  get persistent(): boolean {
    return isPersistent(this.minor, this.connection);
  }

  /**
   * Whether the client sends nothing after this request, because it says `Connection: close` (RFC 9112 §9.6). Then a close
   * of both sides cannot destroy the answer. Old clients send an empty line after a body, so no body is allowed.
   */
  get isLast(): boolean {
    return this.minor === 1 && !this.hasBody && !this.persistent;
  }

  field(name: string): string | undefined {
    return fieldOf(this.text, name);
  }
}

/** Parses a request head. `text` ends with the line end of the last field line. */
export function parseRequestHead(text: string, fieldsMax: number): RequestHead | RequestFlaw {
  const line = requestShape.exec(text);
  if (line === null) return malformed;
  if (hasTooMany(text, fieldsMax)) return buildTooManyFields(fieldsMax);
  const [, method = '', target = '', minor = ''] = line;
  if (method !== 'GET' && !methods.has(method)) return unknownMethod;
  const head = new RequestHead(text, method, target, minor === '1' ? 1 : 0);
  return readFields(head) ?? findFlaw(head) ?? head;
}

function hasTooMany(text: string, fieldsMax: number): boolean {
  if (text.length < fieldsMax * fieldBytesMin) return false;
  let lines = 0;
  for (let at = text.indexOf('\r\n'); at !== -1; at = text.indexOf('\r\n', at + 2)) lines += 1;
  return lines - 1 > fieldsMax;
}

function readFields(head: RequestHead): RequestFlaw | undefined {
  const { text } = head;
  let from = text.indexOf('\r\n') + 2;
  watched.lastIndex = 0;
  for (let found = watched.exec(text); found !== null; found = watched.exec(text)) {
    const flaw = readField(head, codeOf(found[1] ?? ''), found[2] ?? '');
    if (flaw !== undefined) return flaw;
    head.kept += text.slice(from, found.index + 2);
    from = watched.lastIndex + 2;
  }
  head.kept += text.slice(from);
  return undefined;
}

/** `given` may end with white space. Framing fields are checked with it, so that it cannot hide a second meaning. */
function readField(head: RequestHead, code: number, given: string): RequestFlaw | undefined {
  const value = trimBlankEnd(given);
  switch (code) {
    case is.host:
      if (head.host !== undefined || !hostShape.test(value)) return badHost;
      head.host = value;
      return undefined;
    case is.cookie:
      // RFC 9113 §8.2.3 splits this field, and a translating proxy may have left it split.
      head.cookie = head.cookie === undefined ? value : `${head.cookie}; ${value}`;
      return undefined;
    case is.connection:
      head.connection = joinValues(head.connection, value);
      return undefined;
    case is['content-length']:
      if (head.length !== -1 || !/^\d{1,15} *$/.test(given)) return badLength;
      head.length = Number(value);
      return undefined;
    case is['transfer-encoding']:
      // RFC 9112 §6.1: HTTP/1.0 has no chunks, so a proxy in front may have read the body differently.
      if (head.chunked || head.minor === 0 || !chunkedShape.test(given)) return badCoding;
      head.chunked = true;
      return undefined;
    default:
      return readRareField(head, code, value);
  }
}

function readRareField(head: RequestHead, code: number, value: string): RequestFlaw | undefined {
  switch (code) {
    case is.expect:
      if (value.toLowerCase() !== '100-continue') return badExpectation;
      head.expectsContinue = head.minor === 1;
      break;
    case is.upgrade:
      head.offered = joinValues(head.offered, value);
      break;
    case is.forwarded:
      head.forwarded = joinValues(head.forwarded, value);
      break;
    case is['x-forwarded-for']:
      head.forwardedFor = joinValues(head.forwardedFor, value);
      break;
    case is['x-forwarded-proto']:
      head.forwardedProto = joinValues(head.forwardedProto, value);
      break;
  }
  return undefined;
}

function joinValues(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

function findFlaw(head: RequestHead): RequestFlaw | undefined {
  if (head.chunked && head.length !== -1) return bothFramings;
  if (head.host === undefined && head.minor === 1) return badHost;
  if (head.connection !== undefined && !plainConnections.has(lowerCase(head.connection)))
    dropNamed(head, head.connection);
  if (head.target.charCodeAt(0) !== 47 && !readOtherTarget(head)) return badTarget;
  return head.hasBody && head.upgrade ? bodyOnUpgrade : undefined;
}

function dropNamed(head: RequestHead, connection: string): void {
  head.kept = removeFields(head.kept, listConnectionFields(connection));
}

/** Reads a target in absolute form. Such a target names the host, which overrides the Host field (RFC 9112 §3.2.2). */
function readOtherTarget(head: RequestHead): boolean {
  if (head.target === '*') return head.method === 'OPTIONS';
  const [, host, rest] = /^https?:\/\/([^/?#@]+)([/?][^#]*)?$/i.exec(head.target) ?? [];
  if (host === undefined || !hostShape.test(host)) return false;
  head.host = host;
  // RFC 9112 §3.2.4
  if (rest === undefined && head.method === 'OPTIONS') head.path = '*';
  else head.path = rest?.startsWith('/') ? rest : `/${rest ?? ''}`;
  return true;
}

/** Reads method and target from the beginning of a head that is not valid, for the log. */
export function readRequestLine(beginning: string): { method: string | undefined; path: string | undefined } {
  const [, method, path] = /^(?:\r\n)*([\w!#$%&'*+.^`|~-]{1,32}) ([^ \r\n]*)/.exec(beginning) ?? [];
  return { method, path: path === '' ? undefined : path };
}
