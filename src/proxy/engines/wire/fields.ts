import { trimmedEnd } from './grammar.js';

const shapes = new Map<string, RegExp>();
/** Names come from the heart and from Connection fields: the latter are the client's choice, and there is no end of them. */
const shapesMax = 256;

/** Matches each line of the field with the line end before it. */
function shapeOf(name: string): RegExp {
  const known = shapes.get(name);
  if (known !== undefined) return known;
  const shape = new RegExp(`\\r\\n${name.replace(/[^\w-]/g, '\\$&')}:[ \\t]*([^\\r]*)`, 'gi');
  if (shapes.size < shapesMax) shapes.set(name, shape);
  return shape;
}

/** The value of a field of a head; of several lines one behind the other, as RFC 9110 §5.3 joins them. */
export function fieldOf(head: string, name: string): string | undefined {
  const shape = shapeOf(name);
  shape.lastIndex = 0;
  let joined: string | undefined;
  for (let found = shape.exec(head); found !== null; found = shape.exec(head)) {
    const value = trimmedEnd(found[1] ?? '');
    joined = joined === undefined ? value : `${joined}, ${value}`;
  }
  return joined;
}

/** Field lines, each with its line end, without those of one name. */
export function withoutField(lines: string, name: string): string {
  const shape = shapeOf(name);
  shape.lastIndex = 0;
  // The line end of the first line's predecessor is not part of `lines`.
  const whole = `\r\n${lines}`;
  return shape.test(whole) ? whole.replace(shape, '').slice(2) : lines;
}

/** Field lines without those of any of these names, in one pass: how many there are is the other side's choice. */
export function withoutNamed(lines: string, names: ReadonlySet<string> | undefined): string {
  if (names === undefined || names.size === 0) return lines;
  let rest = '';
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf('\r\n', at) + 2;
    if (!names.has(lines.slice(at, lines.indexOf(':', at)).toLowerCase())) rest += lines.slice(at, end);
    at = end;
  }
  return rest;
}

/** Matches each line of one of these fields, with the line end before it. */
export function watchedFields(names: readonly string[]): RegExp {
  return new RegExp(`\\r\\n(${names.join('|')}):[ \\t]*([^\\r]*)`, 'gi');
}

/**
 * Tells the names of one list from each other, in any spelling, by length and last two letters: nothing has to be made
 * or hashed for it. A list in which two names have one code must not be (a test looks).
 */
export function codeOf(name: string): number {
  const { length } = name;
  return ((length << 8) | name.charCodeAt(length - 2) | 32) * 256 + (name.charCodeAt(length - 1) | 32);
}

export function fieldCodes<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map(name => [name, codeOf(name)])) as Record<Name, number>;
}
