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
    found = isEnded(attributes) ? '' : pair.slice(at + 1).trim();
  }
  return found;
}

/** Whether the attributes remove the cookie. Max-Age counts more than Expires, and an invalid one is ignored (§5.3). */
function isEnded(attributes: readonly string[]): boolean {
  let expired = false;
  let maxAge: number | undefined;
  for (const attribute of attributes) {
    const [name = '', value = ''] = attribute.split('=').map(part => part.trim());
    if (/^max-age$/i.test(name) && /^-?\d+$/.test(value)) maxAge = Number(value);
    else if (/^expires$/i.test(name)) expired = Date.parse(value) <= Date.now();
  }
  return maxAge === undefined ? expired : maxAge <= 0;
}
