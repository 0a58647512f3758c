/** A value in JSON that is neither a list nor a map, and the path that a scenario file would write for it. */
export interface Leaf {
  readonly path: string;
  /** The key right above it; of a list the key of the list. */
  readonly name: string;
  readonly value: string | number | boolean | null;
}

/** Most values that are looked at in one body. */
const leavesMax = 20_000;

/** Lists the values of JSON in their order. Keys that a path cannot write are left out with all below them. */
export function leavesOf(json: unknown): Leaf[] {
  const found: Leaf[] = [];
  walk(json, '$', '');
  return found;

  function walk(value: unknown, path: string, name: string): void {
    if (found.length >= leavesMax || value === undefined) return;
    if (Array.isArray(value)) for (const [i, each] of value.entries()) walk(each, `${path}[${i}]`, name);
    else if (typeof value === 'object' && value !== null)
      for (const [key, each] of Object.entries(value)) {
        const step = stepTo(key);
        if (step !== undefined) walk(each, path + step, key);
      }
    else if (isScalar(value)) found.push({ path, name, value });
  }
}

/** Replaces the values of JSON. `replace` gets the path of each; undefined removes the value. */
export function mapLeaves(json: unknown, replace: (path: string, value: unknown) => unknown, path = '$'): unknown {
  if (Array.isArray(json))
    return json.map((each, i) => mapLeaves(each, replace, `${path}[${i}]`)).filter(each => each !== undefined);
  if (typeof json !== 'object' || json === null) return replace(path, json);
  const entries = Object.entries(json).map(([key, each]) => [
    key,
    mapLeaves(each, replace, path + (stepTo(key) ?? '.?')),
  ]);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

/** Returns the step of a path to this key; undefined when no path can write it. */
export function stepTo(key: string): string | undefined {
  if (/^[A-Za-z_$][\w$-]*$/.test(key)) return `.${key}`;
  return /^[^'\\]+$/.test(key) ? `['${key}']` : undefined;
}

function isScalar(value: unknown): value is Leaf['value'] {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}
