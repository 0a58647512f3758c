import { isIP } from 'node:net';
import { normalizeAddress } from '../../shared/client-address.js';
import { trimBlanks } from '../../shared/text.js';
import { type IsTrusted, normalizeIpv6 } from './trusted-peers.js';

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
