/** One step of a path: a key, an index, or every element. */
type Step = { readonly key: string } | { readonly index: number } | 'all';

/** A small part of JSONPath (RFC 9535): `$`, `.name`, `['any name']`, `[0]`, `[*]`. */
export type JsonPath = readonly Step[];

const piece = /\.([A-Za-z_$][\w$-]*)|\['([^'\\]+)'\]|\["([^"\\]+)"\]|\[(\d{1,6})\]|\[(\*)\]|\.(\*)/y;

/** Parses a path; undefined when the text is no such path. */
export function parseJsonPath(text: string): JsonPath | undefined {
  if (!text.startsWith('$')) return undefined;
  const steps: Step[] = [];
  piece.lastIndex = 1;
  for (let at = 1; at < text.length; at = piece.lastIndex) {
    piece.lastIndex = at;
    const found = piece.exec(text);
    if (found === null) return undefined;
    const [, dotted, quoted, doubleQuoted, index] = found;
    const key = dotted ?? quoted ?? doubleQuoted;
    if (key !== undefined) steps.push({ key });
    else steps.push(index === undefined ? 'all' : { index: Number(index) });
  }
  return steps;
}

/**
 * Returns the values at a path, in order. `[*]` on an empty list gives an empty list. Returns undefined when a step of
 * the path has no value: missing data must not pass for an empty cart.
 */
export function valuesAt(value: unknown, path: JsonPath): readonly unknown[] | undefined {
  let found: unknown[] = [value];
  for (const step of path) {
    const next = found.map(each => valuesBelow(each, step));
    if (next.some(each => each === undefined)) return undefined;
    found = next.flatMap(each => each ?? []);
  }
  return found;
}

/** Returns the values one step below; undefined when there is no such step. */
function valuesBelow(value: unknown, step: Step): readonly unknown[] | undefined {
  if (step === 'all') return Array.isArray(value) ? value : undefined;
  if ('index' in step) return Array.isArray(value) && step.index < value.length ? [value[step.index]] : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, step.key) ? [Reflect.get(value, step.key)] : undefined;
}

/** Says at which step the path has no value; undefined when it leads to the end. */
export function explainMissingAt(value: unknown, path: JsonPath): string | undefined {
  let found: unknown[] = [value];
  let walked = '$';
  for (const step of path) {
    for (const each of found) {
      if (valuesBelow(each, step) === undefined) return `${walked} is ${kindOf(each)}, which has no ${nameOf(step)}`;
    }
    found = found.flatMap(each => valuesBelow(each, step) ?? []);
    walked += nameOf(step);
  }
  return undefined;
}

function nameOf(step: Step): string {
  if (step === 'all') return '[*]';
  return 'index' in step ? `[${step.index}]` : `.${step.key}`;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== 'object' || value === null) return `${value === null ? 'null' : typeof value}`;
  return `a map with the keys ${Object.keys(value).slice(0, 10).join(', ') || '(none)'}`;
}
