import { isIPv6 } from 'node:net';

/*
 * What a backend is told about the way before the proxy. What the peer itself said of it counts only when the peer is
 * trusted: callers pass `undefined` for it otherwise.
 */

/** What only a proxy can know: never passed on as it came. */
export const toldByProxies = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-forwarded-prefix',
] as const;

/** `X-Forwarded-For` and `Forwarded`: one entry per hop, ours at the end. */
export function appended(before: string | undefined, own: string): string {
  return before === undefined || before === '' ? own : `${before}, ${own}`;
}

/** RFC 9110 §5.6.2; anything else goes in quotes. */
const token = /^[!#$%&'*+.^`|~\w-]+$/;

/** One element of `Forwarded` (RFC 7239 §4), with names in lower case. */
export function forwardedElement(clientAddress: string, host: string | undefined, secure: boolean): string {
  const authority = host === undefined ? '' : `;host=${quotedUnlessToken(host)}`;
  return `for=${nodeName(clientAddress)}${authority};proto=${secure ? 'https' : 'http'}`;
}

/** RFC 7239 §6: an IPv6 address has brackets, and brackets need quotes. */
function nodeName(address: string): string {
  if (isIPv6(address)) return `"[${address}]"`;
  return address === '' ? 'unknown' : address;
}

function quotedUnlessToken(text: string): string {
  return token.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * Whether the client came over TLS. What a trusted peer says of its own client is better informed than what its
 * connection to us looks like: it may speak TLS to us for a browser that does not, and the other way round.
 *
 * Several proxies in front each add a word; the last one was added by the one that is trusted.
 */
export function cameSecure(overTls: boolean, saidProto: string | undefined): boolean {
  const word = saidProto?.slice(saidProto.lastIndexOf(',') + 1).trim();
  return word === undefined || word === '' ? overTls : word.toLowerCase() === 'https';
}
