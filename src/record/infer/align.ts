import type { Pass, Passes } from '../passes.js';
import { type RecordedCall, type TypedCalls, takeApart } from './call.js';
import { cleanCalls } from './clean.js';

/** Requests of one kind, as each pass sent them: the same method, path and fields, with other values. */
export interface Group {
  readonly first: readonly RecordedCall[];
  readonly second: readonly RecordedCall[];
  readonly anonymous: readonly RecordedCall[];
}

export interface AlignedPasses {
  readonly first: TypedCalls;
  readonly second: TypedCalls;
  readonly anonymous: readonly RecordedCall[];
  /** In the order of the first pass. Some have no call in one of the passes. */
  readonly groups: readonly Group[];
}

/** One kind of request, and the call of each pass that does the step. */
export interface FoundStep {
  readonly group: Group;
  readonly calls: readonly [RecordedCall, RecordedCall];
}

/** Finds the requests that the passes have in common. */
export function alignPasses(passes: Passes): AlignedPasses {
  const first = readPass(passes.first);
  const second = readPass(passes.second);
  const visitor = readPass({ user: '', item: '', exchanges: passes.anonymous });
  const own = groupByKey(first);
  const others = groupByKey(second);
  const withoutLogin = groupByKey(visitor);
  const groups = [...own].map(([key, calls]) => ({
    first: calls,
    second: takeAlike(key, calls, others, own),
    anonymous: takeAlike(key, calls, withoutLogin, own),
  }));
  return { first, second, anonymous: visitor.calls, groups };
}

function readPass({ user, item, exchanges }: Pass): TypedCalls {
  const all = exchanges.map(takeApart);
  return { user, item, all, calls: cleanCalls(all, exchanges) };
}

function groupByKey(typed: TypedCalls): Map<string, RecordedCall[]> {
  const groups = new Map<string, RecordedCall[]>();
  for (const call of typed.calls) {
    const key = keyOf(call, typed);
    groups.set(key, [...(groups.get(key) ?? []), call]);
  }
  return groups;
}

/** Returns the group of another pass with this key; otherwise the one that is most alike and has no partner. */
function takeAlike(
  key: string,
  [call]: readonly RecordedCall[],
  others: ReadonlyMap<string, RecordedCall[]>,
  own: ReadonlyMap<string, unknown>,
): readonly RecordedCall[] {
  const same = others.get(key);
  if (same !== undefined || call === undefined) return same ?? [];
  const free = [...others].filter(([other, [its]]) => !own.has(other) && its !== undefined && isAlike(call, its));
  return free.map(([, calls]) => calls).sort(([a], [b]) => countSame(call, b) - countSame(call, a))[0] ?? [];
}

/** Names the kind of a request within its pass: typed texts and long random values are replaced. */
function keyOf({ method, parts }: RecordedCall, { user, item }: TypedCalls): string {
  const fields = parts
    .filter(({ at }) => at !== 'header')
    .map(({ key, value }) => `${key}=${replaceTyped(value, user, item)}`);
  return [method, ...fields].join('\n');
}

function replaceTyped(value: string, user: string, item: string): string {
  const typed = [user, item].filter(text => text !== '').sort((a, b) => b.length - a.length);
  const plain = typed.reduce((text, each) => text.replaceAll(each, '{}'), value);
  return isRandom(plain) ? '#' : plain.replaceAll(/\d{10,}/g, '#');
}

/** Whether a text looks like a token: one long word with letters and digits. */
export function isRandom(text: string): boolean {
  return /^[\w+/=.~:%-]{16,}$/.test(text) && /\d/.test(text) && /[a-z]/i.test(text);
}

/** Whether two requests are of one kind: only values that look like ids and short texts differ. */
function isAlike(a: RecordedCall, b: RecordedCall): boolean {
  if (a.method !== b.method || a.body !== b.body) return false;
  const [ones, others] = [a.segments, b.segments];
  if (ones.length !== others.length) return false;
  if (!ones.every((one, i) => one === others[i] || [one, others[i] ?? ''].every(mayBeId))) return false;
  const { values } = b;
  const sent = a.parts.filter(({ at }) => at !== 'path' && at !== 'header');
  const known = sent.filter(({ key }) => values.has(key));
  // A long text, such as a query of GraphQL, says what the request is.
  const isOther = known.some(({ key, value }) => value.length > 30 && /\s/.test(value) && value !== values.get(key));
  return !isOther && known.length * 2 >= sent.length;
}

function mayBeId(segment: string): boolean {
  return /\d/.test(segment);
}

function countSame(a: RecordedCall, b: RecordedCall | undefined): number {
  return a.parts.filter(({ key, value }) => b?.values.get(key) === value).length;
}
