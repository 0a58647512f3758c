/** Fields that frame or route the message: a Connection field cannot remove these. */
const kept: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);

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
  return new Set(names.filter(name => name !== '' && !kept.has(name)));
}

/**
 * Fields that must not be in trailers (RFC 9110 §6.5.1). They frame or route a message, are hop-by-hop, identify the
 * sender, or are set by the proxy alone. Several lines may be tested at once.
 */
export const forbiddenInTrailers =
  /^(?:content[-_]length|transfer[-_]encoding|host|trailer|te|connection|upgrade|keep-alive|http2-settings|cookie|set-cookie|authorization|content-encoding|content-type|content-range|holdfast[-_][^:]*|x[-_]forwarded[-_][^:]*|x[-_]real[-_]ip|forwarded|via|proxy-[^:]*):/im;
