/** Fields that frame the message or route it: no Connection field can take these out. */
const kept: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);

/** The fields that a Connection field declares to be for this hop alone (RFC 9110 §7.6.1); lower case. */
export function namedInConnection(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || /^(?:keep-alive|close|upgrade)$/i.test(connection)) return undefined;
  const names = connection.split(',').map(name => name.trim().toLowerCase());
  return new Set(names.filter(name => name !== '' && !kept.has(name)));
}
