/*
 * What a head may look like, as RFC 9112 writes it, in one expression each. Nothing lenient is in them: a bare line feed,
 * a folded line, a space before a colon or a control character in a value is no head, and is never passed on. Each reads
 * a head in one pass: nothing in it can be read in two ways, so there is nothing to try twice.
 */

/** RFC 9110 §5.6.2. */
const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
/** RFC 9110 §5.5; bytes above 127 are opaque and stay what they are. */
const text = '[\\t\\x20-\\x7e\\x80-\\xff]*';
const fieldLine = `${token}:${text}\\r\\n`;

/** Method, target, minor version; the text ends with the line end of its last line. */
export const requestShape = new RegExp(
  `^(${token}) ([\\x21\\x22\\x24-\\x7e]+) HTTP/1\\.([01])\\r\\n(?:${fieldLine})*$`,
);
/** Minor version, status, reason. */
export const answerShape = new RegExp(`^HTTP/1\\.([01]) ([1-9]\\d\\d)(?: (${text}))?\\r\\n(?:${fieldLine})*$`);
/**
 * RFC 9112 §7.1.1: the extensions of a chunk, without the white space that it has there for whoever reads what others
 * must not write.
 */
export const extensionShape = new RegExp(
  `^(?:;${token}(?:=(?:${token}|"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\t\\x20-\\x7e])*"))?)*$`,
);
/** RFC 9112 §7.1.2: the fields behind the last chunk, and the empty line that ends them. */
export const trailerShape = new RegExp(`^(?:${fieldLine})*\\r\\n$`);
const controls = '\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f';
/** In the beginning of a head that has not arrived whole: it will be none, however it goes on. */
export const neverAHead = new RegExp(`^\\n|[^\\r]\\n|\\r[^\\n]|[${controls}]`);

/** What stands between a head and what follows it. */
export const headEnd = '\r\n\r\n';

/** Without the optional white space at its end (RFC 9112 §5.1); that at the beginning the expressions leave out. */
export function trimmedEnd(value: string): string {
  let end = value.length;
  while (end > 0 && (value.charCodeAt(end - 1) === 32 || value.charCodeAt(end - 1) === 9)) end -= 1;
  return end === value.length ? value : value.slice(0, end);
}

/** A slice keeps the text that it was cut from alive; a copy does not. */
export function detached(slice: string): string {
  return Buffer.from(slice, 'latin1').toString('latin1');
}

const lowered = new Map<string, string>();
/** Spellings that are remembered. Far above what clients use; what they invent is not kept. */
const spellingsMax = 256;

/** The same few names come in the same few spellings: looking them up costs a fraction of making them anew. */
export function lowerCase(name: string): string {
  const known = lowered.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (lowered.size < spellingsMax) lowered.set(detached(name), lower);
  return lower;
}

/** RFC 9112 §9.3: whether a connection may carry another message after this one. */
export function persists(minor: number, connection: string | undefined): boolean {
  if (connection === undefined) return minor === 1;
  const named = lowerCase(connection);
  if (named === 'keep-alive') return true;
  if (/(?:^|[ \t,])close(?:$|[ \t,])/.test(named)) return false;
  return minor === 1 || /(?:^|[ \t,])keep-alive(?:$|[ \t,])/.test(named);
}

/** A body up to this length that came with its head leaves with its head, as one text. */
const togetherBytesMax = 8 * 1024;

/** Undefined: it is too long for that, or in pieces. */
export function shortText(parts: readonly Buffer[]): string | undefined {
  const [first] = parts;
  if (first === undefined) return '';
  return parts.length === 1 && first.length <= togetherBytesMax ? first.toString('latin1') : undefined;
}
