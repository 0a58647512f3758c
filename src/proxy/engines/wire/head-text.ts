import { copyText } from '../../../shared/text.js';

/*
 * The text of a head: its grammar as in RFC 9112, one expression each, and its fields.
 *
 * The expressions are strict. A bare line feed, a folded line, a space before a colon or a control character in a value
 * makes a head invalid. An invalid head is never forwarded. Each expression is unambiguous, so it reads a head in one
 * pass without backtracking.
 */

/** RFC 9110 §5.6.2. */
const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
/** RFC 9110 §5.5; bytes above 127 are opaque and stay unchanged. */
const text = '[\\t\\x20-\\x7e\\x80-\\xff]*';
const fieldLine = `${token}:${text}\\r\\n`;

/** Captures method, target and minor version. The text ends with the line end of its last line. */
export const requestShape = new RegExp(
  `^(${token}) ([\\x21\\x22\\x24-\\x7e]+) HTTP/1\\.([01])\\r\\n(?:${fieldLine})*$`,
);
/** Captures minor version, status and reason. */
export const answerShape = new RegExp(`^HTTP/1\\.([01]) ([1-9]\\d\\d)(?: (${text}))?\\r\\n(?:${fieldLine})*$`);
/**
 * RFC 9112 §7.1.1: the extensions of a chunk. The optional white space, which recipients may accept but senders must
 * not write, is rejected.
 */
export const extensionShape = new RegExp(
  `^(?:;${token}(?:=(?:${token}|"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\t\\x20-\\x7e])*"))?)*$`,
);
/** Matches the fields after the last chunk, and the empty line that ends them (RFC 9112 §7.1.2). */
export const trailerShape = new RegExp(`^(?:${fieldLine})*\\r\\n$`);
/**
 * The value of a Transfer-Encoding field with the white space after it. Spaces are allowed (RFC 9110 §5.6.3). So is a
 * tab, but some parsers do not remove it, and then read the field as another coding.
 */
export const chunkedShape = /^chunked *$/i;
const controls = '\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f';
/** Matches the beginning of an incomplete head that can no longer become valid. */
export const invalidHeadStart = new RegExp(`^\\n|[^\\r]\\n|\\r[^\\n]|[${controls}]`);

/** The bytes between a head and its body. */
export const headEnd = '\r\n\r\n';

/** Removes white space at the end (RFC 9112 §5.1). The expressions already exclude it at the beginning. */
export function trimBlankEnd(value: string): string {
  let end = value.length;
  while (end > 0 && (value.charCodeAt(end - 1) === 32 || value.charCodeAt(end - 1) === 9)) end -= 1;
  return end === value.length ? value : value.slice(0, end);
}

const lowered = new Map<string, string>();
/** Limit for cached spellings: far above what clients use, and closed to names that they invent. */
const spellingsMax = 256;

/** Returns the name in lower case, from a cache: the same few spellings come again and again. */
export function lowerCase(name: string): string {
  const known = lowered.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (lowered.size < spellingsMax) lowered.set(copyText(name), lower);
  return lower;
}

/** Returns whether a connection may carry another message after this one (RFC 9112 §9.3). */
export function isPersistent(minor: number, connection: string | undefined): boolean {
  if (connection === undefined) return minor === 1;
  const named = lowerCase(connection);
  if (named === 'keep-alive') return true;
  if (/(?:^|[ \t,])close(?:$|[ \t,])/.test(named)) return false;
  return minor === 1 || /(?:^|[ \t,])keep-alive(?:$|[ \t,])/.test(named);
}

const shapes = new Map<string, RegExp>();
/** Limit for the cache. Names from Connection fields are the client's choice, so their number is unlimited. */
const shapesMax = 256;

/** Returns an expression that matches each line of the field, with the line end before it. */
function shapeOf(name: string): RegExp {
  const known = shapes.get(name);
  if (known !== undefined) return known;
  const shape = new RegExp(`\\r\\n${name.replace(/[^\w-]/g, '\\$&')}:[ \\t]*([^\\r]*)`, 'gi');
  if (shapes.size < shapesMax) shapes.set(name, shape);
  return shape;
}

/** Returns the value of a field. Several lines are joined as in RFC 9110 §5.3. */
export function fieldOf(head: string, name: string): string | undefined {
  const shape = shapeOf(name);
  shape.lastIndex = 0;
  let joined: string | undefined;
  for (let found = shape.exec(head); found !== null; found = shape.exec(head)) {
    const value = trimBlankEnd(found[1] ?? '');
    joined = joined === undefined ? value : `${joined}, ${value}`;
  }
  return joined;
}

/** Removes the lines of one name. Each line has its line end. */
export function removeField(lines: string, name: string): string {
  const shape = shapeOf(name);
  shape.lastIndex = 0;
  // The first line has no line end before it, so one is added.
  const whole = `\r\n${lines}`;
  return shape.test(whole) ? whole.replace(shape, '').slice(2) : lines;
}

/** Removes the lines of all these names in one pass, because the other side chooses how many there are. */
export function removeFields(lines: string, names: ReadonlySet<string> | undefined): string {
  if (names === undefined || names.size === 0) return lines;
  let rest = '';
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf('\r\n', at) + 2;
    if (!names.has(lines.slice(at, lines.indexOf(':', at)).toLowerCase())) rest += lines.slice(at, end);
    at = end;
  }
  return rest;
}

/**
 * Returns an expression that matches each line of these fields, with the line end before it. It also matches the names of
 * the pattern `unnamed`, and captures no name then.
 */
export function buildFieldPattern(names: readonly string[], unnamed?: string): RegExp {
  const known = `(${names.join('|')})`;
  const name = unnamed === undefined ? known : `(?:${known}|${unnamed})`;
  return new RegExp(`\\r\\n${name}:[ \\t]*([^\\r]*)`, 'gi');
}

/**
 * Computes a code from a name's length and last two letters, regardless of case, without allocation or hashing. Two
 * names of one list must not have the same code (a test checks this).
 */
export function codeOf(name: string): number {
  const { length } = name;
  return ((length << 8) | name.charCodeAt(length - 2) | 32) * 256 + (name.charCodeAt(length - 1) | 32);
}

export function computeFieldCodes<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map(name => [name, codeOf(name)])) as Record<Name, number>;
}
