/** Counts that can be added up: numbers, lists, sets, and objects and maps of them. */
export type NestedCounts = { [name: string]: Countable };
type Countable = number | unknown[] | Set<unknown> | Map<string, number> | NestedCounts;

/** Adds the counts of another thread to `into`. Both objects have the same fields. */
export function addCounts(into: NestedCounts, from: NestedCounts): void {
  for (const [name, counted] of Object.entries(from)) {
    const own = into[name];
    if (typeof own === 'number' && typeof counted === 'number') into[name] = own + counted;
    else if (Array.isArray(own) && Array.isArray(counted)) for (const each of counted) own.push(each);
    else if (own instanceof Set && counted instanceof Set) for (const each of counted) own.add(each);
    else if (own instanceof Map && counted instanceof Map) addEach(own, counted);
    else if (isCounts(own) && isCounts(counted)) addCounts(own, counted);
    else throw new TypeError(`${name} cannot be added up`);
  }
}

function addEach(into: Map<string, number>, from: ReadonlyMap<string, number>): void {
  for (const [name, count] of from) into.set(name, (into.get(name) ?? 0) + count);
}

function isCounts(counted: Countable | undefined): counted is NestedCounts {
  return typeof counted === 'object' && !(Array.isArray(counted) || counted instanceof Set || counted instanceof Map);
}
