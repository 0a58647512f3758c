/** A backend as it was given: with a name of its own, or none. */
export interface GivenBackend {
  readonly name: string | undefined;
  readonly url: URL;
}

export interface NamedBackend {
  readonly name: string;
  readonly url: URL;
}

/**
 * The names by which backends are known to the operator, and by which cookies lead to them. One without a name of its
 * own is called after its place, `backend-1`, `backend-2`; so every proxy that is started with the same list says the same.
 *
 * `known`, from origin to name, are those that had a name here before. An origin keeps its name when the list around it
 * changes, and nobody gets a name that another origin had: its browsers would pass for bound to the wrong server.
 */
export function nameBackends<T extends GivenBackend>(
  given: readonly T[],
  known: ReadonlyMap<string, string> = new Map(),
): (Omit<T, 'name'> & NamedBackend)[] {
  const taken = new Set([...known.values(), ...given.flatMap(({ name }) => name ?? [])]);
  const owned = new Set(given.flatMap(({ name }) => name ?? []));
  return given.map((backend, index) => {
    if (backend.name !== undefined) return { ...backend, name: backend.name };
    const before = known.get(backend.url.origin);
    const name = before === undefined || owned.has(before) ? freeName(index + 1, given.length, taken) : before;
    taken.add(name);
    owned.add(name);
    return { ...backend, name };
  });
}

function freeName(place: number, places: number, taken: ReadonlySet<string>): string {
  if (!taken.has(`backend-${place}`)) return `backend-${place}`;
  let next = places + 1;
  while (taken.has(`backend-${next}`)) next += 1;
  return `backend-${next}`;
}
