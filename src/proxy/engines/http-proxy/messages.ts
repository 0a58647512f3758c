import type { IncomingHttpHeaders, IncomingMessage, InformationEvent } from 'node:http';
import {
  type AddedHeader,
  type AnswerHead,
  badCoding,
  buildFlaw,
  buildTooManyFields,
  type EngineLimits,
  type HeaderEdits,
  longBody,
  type RequestFlaw,
} from '../../exchange.js';
import {
  appendEntry,
  buildForwardedElement,
  forbiddenInTrailers,
  isLookalike,
  listConnectionFields,
  proxyOnlyFields,
  type ReportedHops,
  removeCookie,
} from '../../headers.js';

/*
 * Requests and answers as Node has parsed them: what of them is forwarded, and what Node accepts and a proxy must not.
 */

/** The parts of a backend's request head, apart from the dispatcher's edits. */
export interface Forwarding {
  /** The head as the client sent it. */
  readonly given: IncomingHttpHeaders;
  readonly httpVersion: string;
  readonly host: string | undefined;
  /** The address of the peer. */
  readonly peer: string;
  /** The peer's statements about earlier hops are believed. */
  readonly trusted: boolean;
  /** Whether to add a `Forwarded` field. */
  readonly forwarded: boolean;
  readonly clientAddress: string;
  readonly secure: boolean;
  /** `websocket` for an upgrade, else undefined. */
  readonly upgrade: string | undefined;
}

/** Hop-by-hop fields, and fields that only a proxy can set. They are not forwarded unchanged. */
const droppedFromRequests: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  // Node's server does not pass on trailers, and Node's client throws on this field if the body is not chunked.
  'trailer',
  'transfer-encoding',
  'upgrade',
  // Node's server has already sent 100; the backend gets the body without this field.
  'expect',
  ...proxyOnlyFields,
]);

/** Builds a new head for the backend: each attempt starts from the client's head. */
export function buildForwardedHeaders(forwarding: Forwarding, edits: HeaderEdits): IncomingHttpHeaders {
  const { given } = forwarding;
  const named = listConnectionFields(given.connection);
  const headers: IncomingHttpHeaders = {};
  for (const name in given) {
    if (!droppedFromRequests.has(name) && !named?.has(name) && !isLookalike(name)) headers[name] = given[name];
  }
  if (edits.ownCookie !== '' && headers.cookie !== undefined) {
    headers.cookie = removeCookie(headers.cookie, edits.ownCookie);
    if (headers.cookie === undefined) delete headers.cookie;
  }
  addOurs(headers, forwarding);
  for (const name in edits.request) {
    const value = edits.request[name];
    if (value === undefined) delete headers[name];
    else headers[name] = value;
  }
  return headers;
}

function addOurs(headers: IncomingHttpHeaders, forwarding: Forwarding): void {
  const { given, httpVersion, host, peer, trusted, clientAddress, secure, upgrade } = forwarding;
  const via = `${httpVersion} holdfast`;
  headers.via = headers.via === undefined ? via : `${headers.via}, ${via}`;
  headers['x-forwarded-for'] = appendEntry(trusted ? joinLines(given['x-forwarded-for']) : undefined, peer);
  headers['x-real-ip'] = clientAddress;
  if (forwarding.forwarded) {
    headers.forwarded = appendEntry(trusted ? given.forwarded : undefined, buildForwardedElement(peer, host, secure));
  }
  headers['x-forwarded-proto'] = secure ? 'https' : 'http';
  if (host !== undefined) {
    headers.host = host;
    headers['x-forwarded-host'] = host;
  }
  if (upgrade !== undefined) {
    delete headers['content-length'];
    headers.connection = 'Upgrade';
    headers.upgrade = upgrade;
  } else if (given['transfer-encoding'] !== undefined) {
    headers['transfer-encoding'] = 'chunked';
  }
}

/** Returns what the peer says about the hops before it. */
export function readReportedHops(given: IncomingHttpHeaders): ReportedHops {
  return { forwardedFor: joinLines(given['x-forwarded-for']), forwarded: given.forwarded };
}

export function readForwardedProto(given: IncomingHttpHeaders): string | undefined {
  return joinLines(given['x-forwarded-proto']);
}

/** Joins the values. Node already joins the lines of these fields, but its types do not say so. */
function joinLines(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

/** RFC 9112 §6.3: a request has a body only if its head frames one. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0);
}

/** Node's parser accepts 0.9 and 2.0 too. */
const versions: ReadonlySet<string> = new Set(['1.1', '1.0']);
/** RFC 3986 §3.2.2, and a port. */
const hostShape = /^(?:[\w.~!$&'()*+,;=%-]+|\[[\da-fA-F:.]+\])(?::\d*)?$/;

/** The number of digits that a length may have: longer numbers lose precision, and Node's parser accepts them. */
const lengthDigitsMax = 15;

const badVersion = buildFlaw('malformed', 'Only HTTP/1.0 and HTTP/1.1 are spoken here.');
const twoHosts = buildFlaw('host', 'More than one Host field.');
const badHost = buildFlaw('host', 'The Host field names no host.');
const longLength = buildFlaw('framing', 'The Content-Length is too large.');

/** Finds a flaw that Node's parser accepts and a proxy must refuse. Undefined: the head is valid. */
export function findFlaw(
  request: IncomingMessage,
  { headerFieldsMax: fieldsMax, bodyBytesMax }: Pick<EngineLimits, 'headerFieldsMax' | 'bodyBytesMax'>,
): RequestFlaw | undefined {
  const { rawHeaders, headers } = request;
  // Node would silently drop fields above its own limit, so that limit is off and this one applies.
  if (rawHeaders.length > 2 * fieldsMax) return buildTooManyFields(fieldsMax);
  if (!versions.has(request.httpVersion)) return badVersion;
  if (countHosts(rawHeaders) > 1) return twoHosts;
  if (headers.host !== undefined && !hostShape.test(headers.host)) return badHost;
  if ((headers['content-length']?.length ?? 0) > lengthDigitsMax) return longLength;
  if (bodyBytesMax > 0 && Number(headers['content-length']) > bodyBytesMax) return longBody;
  const coding = headers['transfer-encoding'];
  // RFC 9112 §6.1: HTTP/1.0 has no chunks, so a proxy in front may have read the body differently.
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || request.httpVersion === '1.0')) return badCoding;
  return undefined;
}

function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}

/**
 * Returns the request target and host for the backend; undefined for a target that a gateway does not serve. A target
 * in absolute form names the host itself and overrides the Host field (RFC 9112 §3.2.2).
 */
export function parseDestination(request: IncomingMessage): { target: string; host: string | undefined } | undefined {
  const { url = '', headers } = request;
  // A fragment is never sent (RFC 9112 §3.2); a target with one may be read in two ways.
  if ((url.startsWith('/') && !url.includes('#')) || (url === '*' && request.method === 'OPTIONS')) {
    return { target: url, host: headers.host };
  }
  const [, host, rest] = /^https?:\/\/([^/?#@]+)([/?][^#]*)?$/i.exec(url) ?? [];
  if (host === undefined) return undefined;
  // RFC 9112 §3.2.4
  if (rest === undefined && request.method === 'OPTIONS') return { target: '*', host };
  return { target: rest?.startsWith('/') ? rest : `/${rest ?? ''}`, host };
}

const droppedFromAnswers: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Whether the answer can be forwarded. Node's parser accepts more: a 101 without a protocol, and lengths too large for
 * a number. It also accepts any transfer coding, of which it decodes chunked only.
 */
export function isReadable({ statusCode = 0, httpVersion, headers }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding'];
  if (statusCode < 200 || (headers['content-length']?.length ?? 0) > lengthDigitsMax) return false;
  return coding === undefined || (coding.toLowerCase() === 'chunked' && httpVersion === '1.1');
}

export function readAnswerHead(answer: IncomingMessage): AnswerHead {
  return {
    status: answer.statusCode ?? 0,
    header(name) {
      const value = answer.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
  };
}

/**
 * Returns names and values in turn, in the backend's order and spelling, so that lines of one name stay separate. Drops
 * the backend's own `ownCookie`, which would break the browser's affinity.
 */
export function buildAnswerLines(answer: IncomingMessage, added: readonly AddedHeader[], ownCookie: string): string[] {
  const { rawHeaders } = answer;
  const named = listConnectionFields(answer.headers.connection);
  // RFC 9110 §8.6: a client that believed the length would wait for a body that does not come.
  const noLength = answer.statusCode === 204;
  const noTrailers = answer.headers['transfer-encoding'] === undefined || isBodyless(answer);
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    const lowerCase = name.toLowerCase();
    if (noLength && lowerCase === 'content-length') continue;
    // Node throws on this field, which would leave half an answer.
    if (noTrailers && lowerCase === 'trailer') continue;
    if (ownCookie !== '' && lowerCase === 'set-cookie' && value.startsWith(`${ownCookie}=`)) continue;
    if (passes(lowerCase, value, named, added)) lines.push(name, value);
  }
  for (const [name, value] of added) lines.push(name, value);
  return lines;
}

function isBodyless({ statusCode }: IncomingMessage): boolean {
  return statusCode === 204 || statusCode === 304;
}

function passes(
  name: string,
  value: string,
  named: ReadonlySet<string> | undefined,
  added: readonly AddedHeader[],
): boolean {
  if (droppedFromAnswers.has(name) || named?.has(name)) return false;
  // Only the proxy reports on this hop: a backend's statement could be mistaken for ours.
  if (name === 'proxy-status' && /(?:^|,)\s*holdfast\b/i.test(value)) return false;
  return name === 'set-cookie' || !added.some(([replaced]) => replaced === name);
}

/** Builds a 1xx head, which Node's server cannot write (RFC 9110 §15.2: a proxy forwards it). */
export function buildInterimHead({ statusCode, statusMessage, rawHeaders }: InformationEvent): string {
  let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    // RFC 9110 §8.6: a client that believed the length would read the final answer as a body.
    if (!droppedFromAnswers.has(name.toLowerCase()) && name.toLowerCase() !== 'content-length')
      head += `${name}: ${rawHeaders[at + 1] ?? ''}\r\n`;
  }
  return `${head}\r\n`;
}

/** Returns names and values of the trailers that may be forwarded. */
export function selectTrailers({ rawTrailers }: IncomingMessage): [string, string][] {
  const kept: [string, string][] = [];
  for (let at = 0; at + 1 < rawTrailers.length; at += 2) {
    const name = rawTrailers[at] ?? '';
    if (!forbiddenInTrailers.test(`${name}:`)) kept.push([name, rawTrailers[at + 1] ?? '']);
  }
  return kept;
}

/** The longest line of a chunk, or section of trailers, between two pieces of a body. Node itself limits extensions. */
const framingBytesMax = 64 * 1024;

/**
 * Calls `onExcess` when a body does not grow although its connection delivers bytes, for example in an endless chunk size
 * of zeros. Node's parser takes those without a limit. Returns a function that ends the watch.
 */
export function watchFraming(message: IncomingMessage, onExcess: () => void): () => void {
  const { socket } = message;
  let bodyBytes = 0;
  let lastBytes = 0;
  let framingBytes = 0;
  const grow = (piece: Buffer): void => {
    bodyBytes += piece.length;
  };
  const watch = (bytes: Buffer): void => {
    const knownBytes = bodyBytes + message.readableLength;
    framingBytes = knownBytes === lastBytes ? framingBytes + bytes.length : 0;
    lastBytes = knownBytes;
    if (framingBytes > framingBytesMax) onExcess();
  };
  message.on('data', grow);
  socket.on('data', watch);
  return () => {
    message.removeListener('data', grow);
    socket.removeListener('data', watch);
  };
}
