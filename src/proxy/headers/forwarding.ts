import { isIPv6 } from 'node:net';
import { isBlank, trimBlanks } from '../../shared/text.js';

/*
 * Tells the backend how a request reached the proxy. The peer's own statements count only if the peer is trusted. For
 * others, callers pass `undefined`.
 */

/** Fields that only a proxy can know. They are never passed on unchanged. */
export const proxyOnlyFields = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-forwarded-prefix',
  'x-real-ip',
] as const;

/** Names with a hyphen that a proxy reads or sets. `x-forwarded-*` and `holdfast-*` stand in the pattern below. */
const guardedNames = [
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'http2-settings',
  'x-real-ip',
];

/**
 * Matches the names that CGI, WSGI, Rack and PHP read as one that the proxy reads or sets, because they turn `-` into
 * `_`. No request keeps them. The guarded names themselves match too, so test for those first.
 */
export const lookalikePattern = [
  ...guardedNames.map(name => name.replaceAll('-', '[-_]')),
  'x_forwarded[-_][^:\\r]*',
  // The field itself passes while ids are off (`--request-id`).
  'x_request[-_]id',
  'x-request_id',
  '(?:x-forwarded|holdfast)(?=[^:\\r]*_)[-_][^:\\r]*',
].join('|');

const lookalike = new RegExp(`^(?:${lookalikePattern})$`);

/** Whether a backend may take this field for one that the proxy reads or sets. The name is in lower case. */
export function isLookalike(name: string): boolean {
  return name.includes('_') && lookalike.test(name);
}

/** Appends our entry to `X-Forwarded-For` or `Forwarded`, which have one entry per hop. */
export function appendEntry(before: string | undefined, own: string): string {
  return before === undefined || before === '' ? own : `${before}, ${own}`;
}

/** A token of RFC 9110 §5.6.2; any other text is quoted. */
const token = /^[!#$%&'*+.^`|~\w-]+$/;

/** Builds one element of `Forwarded` (RFC 7239 §4), with names in lower case. */
export function buildForwardedElement(clientAddress: string, host: string | undefined, secure: boolean): string {
  const authority = host === undefined ? '' : `;host=${quoteUnlessToken(host)}`;
  return `for=${formatNode(clientAddress)}${authority};proto=${secure ? 'https' : 'http'}`;
}

/** RFC 7239 §6: an IPv6 address has brackets, and brackets need quotes. */
function formatNode(address: string): string {
  if (isIPv6(address)) return `"[${address}]"`;
  return address === '' ? 'unknown' : address;
}

function quoteUnlessToken(text: string): string {
  return token.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * Whether the client uses TLS. A trusted peer knows this better than our connection to it does. It may use TLS to us
 * for a browser that does not, and vice versa.
 *
 * Several proxies in front each add a word. The trusted one added the last word.
 */
export function isClientSecure(overTls: boolean, forwardedProto: string | undefined): boolean {
  const word = forwardedProto?.slice(forwardedProto.lastIndexOf(',') + 1).trim();
  return word === undefined || word === '' ? overTls : word.toLowerCase() === 'https';
}

/** Returns the raw value of the named cookie (RFC 6265 §4.2.1); `nth` selects a copy, from 0. */
export function readCookieValue(header: string | undefined, name: string, nth: number): string | undefined {
  if (header === undefined) return undefined;
  const pair = `${name}=`;
  let skip = nth;
  for (let at = header.indexOf(pair); at !== -1; at = header.indexOf(pair, at + 1)) {
    if (startsPair(header, at) && skip-- === 0)
      return trimBlanks(header.slice(at + pair.length, endOfPair(header, at)));
  }
  return undefined;
}

/** Returns the header without the named cookie; undefined when nothing is left. */
export function removeCookie(header: string, name: string): string | undefined {
  if (!header.includes(`${name}=`)) return header;
  if (!header.includes(';')) return trimBlanks(header).startsWith(`${name}=`) ? undefined : header;
  const kept = header.split(';').filter(pair => !trimBlanks(pair).startsWith(`${name}=`));
  const rest = trimBlanks(kept.join(';'));
  return rest === '' ? undefined : rest;
}

/** Whether a pair starts here, after nothing but blanks since the last semicolon: `xholdfast=1` is another cookie. */
function startsPair(header: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(header[before])) before -= 1;
  return before < 0 || header[before] === ';';
}

function endOfPair(header: string, at: number): number {
  const end = header.indexOf(';', at);
  return end === -1 ? header.length : end;
}
