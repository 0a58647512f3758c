/**
 * Returns the value that the Set-Cookie lines, joined by ", ", give to this cookie: the last one counts. Empty: the
 * cookie is removed. Undefined: no line sets it.
 *
 * A comma can stand in `Expires` only (RFC 6265 §4.1.1), and no date looks like `name=`.
 */
export function findSetCookie(joined: string | undefined, name: string): string | undefined {
  if (joined === undefined || !joined.includes(`${name}=`)) return undefined;
  let found: string | undefined;
  for (const line of joined.split(/,\s*(?=[!#$%&'*+\-.^_`|~\w]+=)/)) {
    const [pair = '', ...attributes] = line.split(';');
    const at = pair.indexOf('=');
    if (at === -1 || pair.slice(0, at).trim() !== name) continue;
    found = attributes.some(isInThePast) ? '' : pair.slice(at + 1).trim();
  }
  return found;
}

/** Whether the attribute removes the cookie. */
function isInThePast(attribute: string): boolean {
  const [name = '', value = ''] = attribute.split('=').map(part => part.trim());
  if (/^max-age$/i.test(name)) return Number(value) <= 0;
  return /^expires$/i.test(name) && Date.parse(value) <= Date.now();
}
