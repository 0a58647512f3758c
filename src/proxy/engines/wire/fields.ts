import { trimBlankEnd } from './grammar.js';

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
