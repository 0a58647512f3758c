import type { Inferred, Pass, Passes, RecordedExchange } from '../recording.js';
import { type RecordedCall, type TypedCalls, takeApart } from './call.js';
import { replaceTyped } from './request.js';

/**
 * What every search of a step builds on: the kinds of requests that the passes have in common, and how a search ends
 * without a step.
 */

/** Requests of one kind, as each pass sent them: the same method, path and fields, with other values. */
export interface Group {
  readonly first: readonly RecordedCall[];
  readonly second: readonly RecordedCall[];
  readonly anonymous: readonly RecordedCall[];
}

export interface AlignedPasses {
  readonly first: TypedCalls;
  readonly second: TypedCalls;
  /** The pass without a login: nothing was typed in it. */
  readonly visitor: TypedCalls;
  /** In the order of the first pass. Some have no call in one of the passes. */
  readonly groups: readonly Group[];
}

/** One kind of request, and the call of each pass that does the step. */
export interface FoundStep {
  readonly group: Group;
  readonly calls: readonly [RecordedCall, RecordedCall];
}

/**
 * Returns the kinds of requests that both passes have, each with the call of either pass that `pick` chooses. A kind
 * without such a call in one of the passes is left out.
 */
export function findInBoth(
  { first, second, groups }: AlignedPasses,
  pick: (calls: readonly RecordedCall[], typed: TypedCalls, pass: 0 | 1) => RecordedCall | undefined,
): FoundStep[] {
  return groups.flatMap((group): FoundStep[] => {
    const one = pick(group.first, first, 0);
    const other = one && pick(group.second, second, 1);
    return one === undefined || other === undefined ? [] : [{ group, calls: [one, other] }];
  });
}

/** A decision that cannot be made: a question to the person, or what is missing in the passes. */
export type Stop = Exclude<Inferred, { readonly kind: 'journey' }>;

export function isStop(decision: unknown): decision is Stop {
  const kind = typeof decision === 'object' && decision !== null && 'kind' in decision ? decision.kind : undefined;
  return kind === 'question' || kind === 'problem';
}

export function stopWith(problem: string): Stop {
  return { kind: 'problem', problem };
}

/**
 * Returns the one candidate, or the one that was answered. Otherwise it asks. `describe`: how a candidate is named; the
 * name is its id, too, so that an answer stays right when the order changes.
 */
export function chooseOne<T>(
  id: string,
  text: string,
  candidates: readonly T[],
  describe: (candidate: T) => string,
  answers: ReadonlyMap<string, string>,
): T | Stop {
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  const names = candidates.map(describe).map((name, i, all) => {
    const same = all.slice(0, i).filter(each => each === name).length;
    return same === 0 ? name : `${name} (${same + 1})`;
  });
  const answered = candidates[names.indexOf(answers.get(id) ?? '')];
  if (answered !== undefined) return answered;
  return { kind: 'question', question: { id, text, candidates: names.map(name => ({ id: name, label: name })) } };
}

/** Finds the requests that the passes have in common. */
export function alignPasses(passes: Passes): AlignedPasses {
  const first = readPass(passes.first);
  const second = readPass(passes.second);
  const visitor = readPass({ user: '', item: '', exchanges: passes.anonymous });
  const own = groupByKey(first);
  const others = groupByKey(second);
  const withoutLogin = groupByKey(visitor);
  const isAlikeIn = (typed: TypedCalls) => (call: RecordedCall, other: RecordedCall) =>
    isAlike(call, other, [first, typed]);
  const groups = [...own].map(([key, calls]) => ({
    first: calls,
    second: takeAlike(key, calls, others, own, isAlikeIn(second)),
    anonymous: takeAlike(key, calls, withoutLogin, own, isAlikeIn(visitor)),
  }));
  return { first, second, visitor, groups };
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
  isLike: (call: RecordedCall, other: RecordedCall) => boolean,
): readonly RecordedCall[] {
  const same = others.get(key);
  if (same !== undefined || call === undefined) return same ?? [];
  const free = [...others].filter(([other, [its]]) => !own.has(other) && its !== undefined && isLike(call, its));
  return free.map(([, calls]) => calls).sort(([a], [b]) => countSame(call, b) - countSame(call, a))[0] ?? [];
}

/** Names the kind of a request within its pass: typed texts and long random values are replaced. */
function keyOf({ method, parts }: RecordedCall, typed: TypedCalls): string {
  const plain = (value: string) => {
    const text = replaceTyped(value, typed);
    return isRandom(text) ? '#' : text.replaceAll(/\d{10,}/g, '#');
  };
  const sent = parts.filter(({ at }) => at !== 'header');
  return [method, ...sent.map(({ key, value }) => `${key}=${plain(value)}`)].join('\n');
}

/** Whether a text looks like a token: one long word with letters and digits. */
export function isRandom(text: string): boolean {
  return /^[\w+/=.~:%-]{16,}$/.test(text) && /\d/.test(text) && /[a-z]/i.test(text);
}

/** Whether two requests are of one kind: only values that look like ids and short texts differ. */
function isAlike(a: RecordedCall, b: RecordedCall, [typed, other]: readonly [TypedCalls, TypedCalls]): boolean {
  if (a.method !== b.method || a.body !== b.body) return false;
  if (a.segments.length !== b.segments.length) return false;
  const segments = a.segments.map((one, i) => [replaceTyped(one, typed), replaceTyped(b.segments[i] ?? '', other)]);
  if (!segments.every(([one = '', its = '']) => one === its || (/\d/.test(one) && /\d/.test(its)))) return false;
  const { values } = b;
  const sent = a.parts.filter(({ at }) => at !== 'path' && at !== 'header');
  const known = sent.filter(({ key }) => values.has(key));
  // A long text, such as a query of GraphQL, says what the request is.
  const isOther = known.some(({ key, value }) => value.length > 30 && /\s/.test(value) && value !== values.get(key));
  return !isOther && known.length * 2 >= sent.length;
}

function countSame(a: RecordedCall, b: RecordedCall | undefined): number {
  return a.parts.filter(({ key, value }) => b?.values.get(key) === value).length;
}

/** Answers of these types are parts of a page. */
const partOfPage =
  /^(image|font|audio|video)\/|^text\/(css|javascript|event-stream)|javascript|\bwasm\b|manifest\+json|opensearch|source-?map/i;

/** The media types of requests in which a browser reports something to the server by itself. */
const browserReport = /^(text\/ping|application\/(csp-report|reports\+json))/i;

/**
 * Returns the calls of a pass that can be part of a journey. It leaves out files, prefetches, preflights, beacons, and
 * answers that never end. It goes by types and by what the browser says, never by names.
 */
function cleanCalls(all: readonly RecordedCall[], exchanges: readonly RecordedExchange[]): RecordedCall[] {
  const kept = all.filter((_, i) => isPartOfJourney(exchanges[i]));
  return kept.map((call, i) => (call.reply.status === 304 ? withKnownBody(call, kept.slice(0, i)) : call));
}

function isPartOfJourney(exchange: RecordedExchange | undefined): boolean {
  if (exchange === undefined) return false;
  const asked = (name: string) => exchange.requestHeaders.find(([header]) => header === name)?.[1] ?? '';
  const told = (name: string) => exchange.responseHeaders.find(([header]) => header === name)?.[1] ?? '';
  if (!/^(GET|POST|PUT|PATCH|DELETE)$/i.test(exchange.method) || exchange.status < 200) return false;
  if (partOfPage.test(told('content-type')) || browserReport.test(asked('content-type'))) return false;
  if (/prefetch|preview|prerender/i.test(asked('sec-purpose') + asked('purpose') + asked('x-moz'))) return false;
  if (/^(image|style|script|font|audio|video|manifest|serviceworker|track|worker)$/.test(asked('sec-fetch-dest')))
    return false;
  // Only a beacon writes without reading the answer.
  return exchange.method.toUpperCase() === 'GET' || asked('sec-fetch-mode') !== 'no-cors';
}

/** Gives an answer without a body ("not modified") the body that the browser had. */
function withKnownBody(call: RecordedCall, earlier: readonly RecordedCall[]): RecordedCall {
  const known = earlier.findLast(
    ({ method, path, reply }) => method === call.method && path === call.path && reply.status === 200,
  );
  return known === undefined ? call : { ...call, reply: { ...known.reply } };
}
