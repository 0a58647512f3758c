import { type Markup, trusted } from './markup.js';

/** JSON for a script element: neither closes it, nor opens a comment in it, nor trips over a line separator. */
export function embeddedJson(value: unknown): Markup {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return trusted(text);
}
