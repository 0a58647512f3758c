import type { ListName, SideChange, SideView } from './protocol.js';

/**
 * The difference between two views of one side, and its application. The server sends the difference, and the page
 * applies it. This file runs in both, so it uses nothing of Node.
 */

type Lists = { [List in ListName]: SideView[List][number] };
type Keys = { readonly [List in ListName]: (entry: Lists[List]) => string };

/** Returns the key of an entry of each list. Two marks may have the same key; then they are equal. */
const listKeys: Keys = {
  users: ({ name }) => name,
  members: ({ name }) => name,
  strikes: ({ id }) => id,
  bins: ({ atMs }) => String(atMs),
  marks: ({ kind, user, sinceMs, seenMs }) => `${kind} ${user} ${sinceMs} ${seenMs}`,
  offers: ({ target }) => target,
};
const listNames = Object.keys(listKeys) as readonly ListName[];
const runFields = ['problem', 'note', 'shopPort'] as const;
const emptyLists = { users: [], members: [], strikes: [], bins: [], marks: [], offers: [] } as const;

/** Returns what turns `before` into `after`: `applyChange(before, changeBetween(before, after))` equals `after`. */
export function changeBetween(before: SideView, after: SideView): SideChange {
  // No field of a change removes one of these. They end only with their run.
  if (runFields.some(name => before[name] !== undefined && after[name] === undefined)) return changeToNew(after);
  const { mode, stage, counts, nowMs } = after;
  const changed = listNames.map(list => changeOfList(list, before, after)).filter(each => each !== undefined);
  const gone = Object.assign({}, ...changed.map(each => each.gone));
  return {
    nowMs,
    ...(mode !== before.mode && { mode }),
    ...(stage !== before.stage && { stage }),
    ...Object.fromEntries(runFields.filter(name => after[name] !== before[name]).map(name => [name, after[name]])),
    ...(!isSame(before.counts, counts) && { counts }),
    ...Object.assign({}, ...changed.map(each => each.entries)),
    ...(Object.keys(gone).length > 0 && { gone }),
  };
}

/** Returns the whole view as the change that begins a new run. */
export function changeToNew(view: SideView): SideChange {
  return { ...view, isNew: true };
}

/** Returns whether nothing changed but the clock. */
export function isClockOnly(change: SideChange): boolean {
  return Object.keys(change).every(key => key === 'nowMs');
}

export function applyChange(view: SideView, change: SideChange): SideView {
  const { gone = {}, isNew, ...fields } = change;
  const { problem, note, shopPort, ...rest } = view;
  const base = isNew ? { ...rest, ...emptyLists } : view;
  const lists = listNames
    .filter(list => fields[list] !== undefined || gone[list] !== undefined)
    .map(list => ({ [list]: listAfter(list, base, fields, gone[list] ?? []) }));
  return Object.assign({ ...base, ...fields }, ...lists);
}

type View = { readonly [List in ListName]: readonly Lists[List][] };

interface ListChange {
  readonly entries?: { readonly [list: string]: unknown };
  readonly gone?: { readonly [list: string]: readonly string[] };
}

function changeOfList<List extends ListName>(list: List, before: View, after: View): ListChange | undefined {
  const keyOf: Keys[List] = listKeys[list];
  const [old, fresh]: readonly (readonly Lists[List][])[] = [before[list], after[list]];
  if (old === fresh || old === undefined || fresh === undefined) return undefined;
  const known = new Map(old.map(entry => [keyOf(entry), entry]));
  const keys = fresh.map(keyOf);
  const kept = new Set(keys);
  const entries = fresh.filter(entry => !isSame(known.get(keyOf(entry)), entry));
  const gone = [...known.keys()].filter(key => !kept.has(key));
  // A receiver keeps the order and appends new entries. In any other order the whole list is sent.
  const inOrder = [...old.map(keyOf).filter(key => kept.has(key)), ...keys.filter(key => !known.has(key))];
  if (!isSame(inOrder, keys)) return { entries: { [list]: fresh }, gone: { [list]: [...known.keys()] } };
  return {
    ...(entries.length > 0 && { entries: { [list]: entries } }),
    ...(gone.length > 0 && { gone: { [list]: gone } }),
  };
}

function listAfter<List extends ListName>(
  list: List,
  before: View,
  changed: Partial<View>,
  gone: readonly string[],
): readonly Lists[List][] {
  const keyOf: Keys[List] = listKeys[list];
  const left = new Set(gone);
  const kept: Lists[List][] = before[list].filter(entry => !left.has(keyOf(entry)));
  const places = new Map(kept.map((entry, place) => [keyOf(entry), place]));
  for (const entry of changed[list] ?? []) {
    const place = places.get(keyOf(entry));
    if (place === undefined) kept.push(entry);
    else kept[place] = entry;
  }
  return kept;
}

/** Compares plain data. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [ofA, ofB] = [Object.entries(a), Object.entries(b)];
  return ofA.length === ofB.length && ofA.every(([key, value]) => isSame(value, (b as Record<string, unknown>)[key]));
}
