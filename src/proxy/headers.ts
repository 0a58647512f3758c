import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net';
import { normalizeAddress } from '../shared/addresses.js';
import { isBlank, trimBlanks } from '../shared/text.js';

/*
 * The header fields that a proxy reads, drops or sets. In this order: those that tell how a request reached the proxy,
 * those that it does not pass on, `Forwarded` for the backend, and `Cookie`. A peer's own statements count only if the
 * peer is trusted. For other peers, callers pass `undefined`.
 */

/** Whether this peer's statements about its client (X-Forwarded-For, X-Forwarded-Proto) are believed. */
export type IsTrusted = (address: string) => boolean;

export const trustNone: IsTrusted = () => false;

/**
 * Builds the trust list from addresses and networks such as `127.0.0.1`, `10.0.0.0/8` or `fd00::/8`. They are the TLS
 * terminators in front of the proxy. Throws `RangeError` for anything else.
 */
export function buildTrustList(entries: readonly string[]): IsTrusted {
  if (entries.length === 0) return trustNone;
  const list = new BlockList();
  for (const entry of entries) addNetwork(list, entry);
  return address => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
}

/** Returns the shortest form of a valid IPv6 address. */
export function normalizeIpv6(address: string): string {
  return normalizeAddress(new SocketAddress({ address, family: 'ipv6' }).address);
}

function addNetwork(list: BlockList, entry: string): void {
  const [, given = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  const address = isIP(given) === 6 ? normalizeIpv6(given) : given;
  const version = isIP(address);
  const bitsMax = version === 4 ? 32 : 128;
  // An IPv4 network written as IPv6: the first 96 bits only mark it as IPv4.
  const mappedBits = version === 4 && given !== address ? 96 : 0;
  const bits = prefix === undefined ? bitsMax : Number(prefix) - mappedBits;
  if (version === 0 || bits < 0 || bits > bitsMax) {
    throw new RangeError(`"${entry}": expected an address or a network such as 127.0.0.1, 10.0.0.0/8 or fd00::/8`);
  }
  list.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6');
}

/** The hops that are read from the right. A longer chain ends here. */
const hopsMax = 64;

/** A trusted peer's report on the hops before it: the values of its `X-Forwarded-For` and `Forwarded` fields. */
export interface ReportedHops {
  readonly forwardedFor: string | undefined;
  readonly forwarded: string | undefined;
}

/**
 * Returns the address of the client: the right-most address of `X-Forwarded-For` that is not itself trusted. Without
 * that field, those of `Forwarded` count. Each trusted hop is believed about the hop before it. An entry that names no
 * address ends the chain, and the last hop that is known counts. Call it only for a trusted peer.
 */
export function deriveClientAddress(peer: string, { forwardedFor, forwarded }: ReportedHops, isTrusted: IsTrusted) {
  const hops = forwardedFor === undefined ? listForwardedHops(forwarded ?? '') : splitFromRight(forwardedFor);
  let known = peer;
  for (const hop of hops) {
    const address = parseHop(hop);
    if (address === undefined) return known;
    if (!isTrusted(address)) return address;
    known = address;
  }
  return known;
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

function splitFromRight(list: string): string[] {
  const hops: string[] = [];
  let end = list.length;
  while (end >= 0 && hops.length < hopsMax) {
    const comma = end === 0 ? -1 : list.lastIndexOf(',', end - 1);
    hops.push(trimBlanks(list.slice(comma + 1, end)));
    end = comma;
  }
  return hops;
}

/** Returns the `for` parameters of `Forwarded` (RFC 7239 §4) from the right; empty where an element has none. */
function listForwardedHops(forwarded: string): string[] {
  const elements = splitOutsideQuotes(forwarded, ',').reverse().slice(0, hopsMax);
  return elements.map(element => {
    const pair = splitOutsideQuotes(element, ';').find(part => /^[ \t]*for=/i.test(part)) ?? '';
    return trimBlanks(pair.slice(pair.indexOf('=') + 1)).replace(/^"(.*)"$/, '$1');
  });
}

/** A quoted host may contain the text of another element. */
function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') isQuoted = !isQuoted;
    else if (char === '\\' && isQuoted) at += 1;
    else if (char === separator && !isQuoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

/** Parses `192.0.2.7`, `192.0.2.7:80`, `2001:db8::7`, `[2001:db8::7]` or `[2001:db8::7]:80`. */
function parseHop(hop: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::\d{1,5})?$/i.exec(hop) ?? [];
  const address = bracketed ?? dotted ?? hop;
  const version = isIP(address);
  if (version === 4) return bracketed === undefined ? address : undefined;
  return version === 6 && !address.includes('%') ? normalizeAddress(normalizeIpv6(address)) : undefined;
}

/** Fields that frame or route the message: a Connection field cannot remove these. */
const keptFields: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);

/** Fields of a connection of HTTP/1.1. HTTP/2 forbids them in requests and in answers (RFC 9113 §8.2.2). */
export const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Returns the fields that Connection declares hop-by-hop (RFC 9110 §7.6.1), in lower case. */
export function listConnectionFields(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || /^(?:keep-alive|close|upgrade)$/i.test(connection)) return undefined;
  const names = connection.split(',').map(name => name.trim().toLowerCase());
  return new Set(names.filter(name => name !== '' && !keptFields.has(name)));
}

/**
 * Fields that must not be in trailers (RFC 9110 §6.5.1). They frame or route a message, are hop-by-hop, identify the
 * sender, or are set by the proxy alone. Several lines may be tested at once.
 */
export const forbiddenInTrailers =
  /^(?:content[-_]length|transfer[-_]encoding|host|trailer|te|connection|upgrade|keep-alive|http2-settings|cookie|set-cookie|authorization|content-encoding|content-type|content-range|holdfast[-_][^:]*|x[-_]forwarded[-_][^:]*|x[-_]real[-_]ip|forwarded|via|proxy-[^:]*):/im;

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
