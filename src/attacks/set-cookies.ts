import { type Answer, sessionCookie } from './browser.js';

/** One Set-Cookie line, taken apart. */
export interface SetCookie {
  readonly line: string;
  readonly name: string;
  readonly value: string;
  /** Names in lower case; the value is empty where an attribute has none. */
  readonly attributes: ReadonlyMap<string, string>;
}

export function readSetCookie(line: string): SetCookie {
  const [pair = '', ...rest] = line.split(';');
  const [name, value] = halves(pair);
  const attributes = new Map(rest.map(halves).map(([key, text]) => [key.toLowerCase(), text]));
  return { line, name, value, attributes };
}

function halves(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return at === -1 ? [text.trim(), ''] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

export const sessionCookies: ReadonlySet<string> = new Set([sessionCookie, `__Host-${sessionCookie}`]);

/** The session token that an answer sets; undefined when it sets none, or clears the cookie. */
export function sessionIn({ setCookies }: Answer): string | undefined {
  const set = setCookies.map(readSetCookie).find(({ name, value }) => sessionCookies.has(name) && value !== '');
  return set?.value;
}
