/** Returns the text as one word of a shell command, whatever characters it has. */
export function quoteForShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Escapes a text so that a regular expression finds it as it stands. */
export function escapeForPattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/**
 * Removes the white space that browsers remove around a cookie (RFC 6265bis section 5.7): only blanks and tabs. `trim`
 * would remove more. Another host can set a cookie whose name is byte A0 and then `__Host-session`, and `trim` would
 * turn it into `__Host-session`, which only this host may set.
 */
export function trimBlanks(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && isBlank(text[from])) from += 1;
  while (to > from && isBlank(text[to - 1])) to -= 1;
  return text.slice(from, to);
}

export function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t';
}

/** Returns a copy of a part of a request header. A substring would keep the whole header in memory. */
export function copyText(part: string): string {
  return Buffer.from(part, 'latin1').toString('latin1');
}

/**
 * Returns an address for logs and messages. It hides everything before the last `@`: that may be a mistyped password.
 */
export function maskUrl(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)?.*@/s, '$1***@');
}

/** Returns the message of an error; anything else that was thrown as text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the value that a text holds as JSON. Undefined when it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
