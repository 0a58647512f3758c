/** The three forms in which kubectl sends a change. All functions are pure. */

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = Readonly<Record<string, Json>>;

/** Returns the object with a change of this content type. Throws when the type is unknown or a path does not exist. */
export function applyPatch(contentType: string, object: unknown, change: unknown): unknown {
  if (contentType.startsWith('application/json-patch+json')) return applyJsonPatch(object as Json, change);
  if (contentType.startsWith('application/strategic-merge-patch+json'))
    return merge(object as Json, change as Json, true);
  if (contentType.startsWith('application/merge-patch+json')) return merge(object as Json, change as Json, false);
  throw new Error(`no patch of the type ${contentType}`);
}

/**
 * Merges a change into a value. `null` deletes a field. In a strategic merge, two lists of objects with names are merged
 * by name, as the lists `containers` and `env` of a pod are; any other list is replaced.
 */
function merge(old: Json | undefined, change: Json, isStrategic: boolean): Json {
  if (isStrategic && isNamedList(change) && (old === undefined || isNamedList(old)))
    return mergeByName(old ?? [], change);
  if (!isObject(change)) return change;
  const merged: Record<string, Json> = { ...(isObject(old) ? old : {}) };
  for (const [key, value] of Object.entries(change)) {
    // A directive about the order of a list.
    if (key.startsWith('$')) continue;
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value, isStrategic);
  }
  return merged;
}

function mergeByName(old: readonly JsonObject[], changes: readonly JsonObject[]): Json {
  const merged = new Map(old.map(item => [item.name, item] as const));
  for (const change of changes) {
    const item = merged.get(change.name);
    if (change.$patch === 'delete') merged.delete(change.name);
    else merged.set(change.name, merge(item, change, true) as JsonObject);
  }
  return [...merged.values()];
}

function isNamedList(value: Json | undefined): value is readonly JsonObject[] {
  return Array.isArray(value) && value.length > 0 && value.every(item => isObject(item) && 'name' in item);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function applyJsonPatch(object: Json, change: unknown): Json {
  if (!Array.isArray(change)) throw new Error('a JSON patch is a list');
  return change.reduce<Json>((done, { op, path, value }) => {
    const keys = String(path).split('/').slice(1).map(unescapeKey);
    return setAt(done, keys, op === 'remove' ? undefined : value);
  }, object);
}

function unescapeKey(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}

function setAt(object: Json, [key, ...rest]: readonly string[], value: Json | undefined): Json {
  if (key === undefined) return value ?? null;
  if (!isObject(object)) throw new Error(`no field "${key}" in ${JSON.stringify(object)}`);
  const { [key]: old, ...others } = object;
  if (rest.length === 0 && value === undefined) return others;
  return { ...others, [key]: setAt(old ?? {}, rest, value) };
}
