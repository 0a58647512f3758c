import { isIPv6 } from 'node:net';

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
] as const;

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
