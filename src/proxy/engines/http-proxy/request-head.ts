import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { EngineLimits, HeaderEdits } from '../../exchange.js';
import type { ReportedHops } from '../../headers/client-address.js';
import {
  appendEntry,
  buildForwardedElement,
  isLookalike,
  proxyOnlyFields,
  removeCookie,
} from '../../headers/forwarding.js';
import { listConnectionFields } from '../../headers/hop-by-hop.js';
import { badCoding, buildFlaw, buildTooManyFields, longBody, type RequestFlaw } from '../../request-flaws.js';

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
const dropped: ReadonlySet<string> = new Set([
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
    if (!dropped.has(name) && !named?.has(name) && !isLookalike(name)) headers[name] = given[name];
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
export const lengthDigitsMax = 15;

const badVersion = buildFlaw('malformed', 'Only HTTP/1.0 and HTTP/1.1 are spoken here.');
const twoHosts = buildFlaw('host', 'More than one Host field.');
const badHost = buildFlaw('host', 'The Host field names no host.');
const longLength = buildFlaw('framing', 'The Content-Length is too large.');

/** Finds what Node's parser accepts and a proxy must not. Undefined: the head is valid. */
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
