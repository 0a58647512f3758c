/** Fields that frame the message or route it: no Connection field can take these out. */
const kept: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);

/** The fields that a Connection field declares to be for this hop alone (RFC 9110 §7.6.1); lower case. */
export function namedInConnection(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || /^(?:keep-alive|close|upgrade)$/i.test(connection)) return undefined;
  const names = connection.split(',').map(name => name.trim().toLowerCase());
  return new Set(names.filter(name => name !== '' && !kept.has(name)));
}

/**
 * Field lines behind a body that have no business there (RFC 9110 §6.5.1): what frames or routes a message, is for
 * one hop, says who asks, or is only the proxy's to say. Several lines may be tested at once.
 */
export const notInTrailers =
  /^(?:content-length|transfer-encoding|host|trailer|te|connection|upgrade|keep-alive|http2-settings|cookie|set-cookie|authorization|content-encoding|content-type|content-range|holdfast-[^:]*|x-forwarded-[^:]*|forwarded|via|proxy-[^:]*):/im;
