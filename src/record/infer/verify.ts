import { journey as schema, type WrittenJourney } from '../../simulator/scenario/journey/journey.js';
import { protectBraces, type StepKind } from '../../simulator/scenario/journey/mapping.js';
import type { JourneyRequest } from '../../simulator/users/journey.js';
import { mappedJourney } from '../../simulator/users/mapped-journey.js';
import { judge } from '../../simulator/users/outcome.js';
import type { AlignedPasses, FoundStep } from './align.js';
import { cookiesSet, describeCall, type RecordedCall, type TypedCalls, takeApart } from './call.js';
import { leavesOf } from './json-leaves.js';

type Calls = readonly [RecordedCall, RecordedCall];

/** The calls around the steps in each pass, if there are any. */
export interface CallsAround {
  readonly before: (kind: StepKind) => Calls | undefined;
  readonly afterLogin: Calls | undefined;
}

/**
 * Judges the recorded answers by the inferred journey, as a run would judge them. Returns the first thing that does not
 * fit: a journey that does not even fit its own recording must not be written.
 */
export function findMisfit(
  written: WrittenJourney,
  recording: AlignedPasses,
  steps: ReadonlyMap<StepKind, FoundStep>,
  around: CallsAround,
): string | undefined {
  const parsed = schema.safeParse(written);
  if (!parsed.success || parsed.data === 'shop')
    return parsed.error?.issues.map(({ path, message }) => `users.journey.${path.join('.')}: ${message}`).join('; ');
  const journey = mappedJourney(parsed.data);
  for (const pass of [0, 1] as const) {
    const typed = pass === 0 ? recording.first : recording.second;
    const carried = new Map<string, string>();
    const take = (kind: StepKind, call: RecordedCall) => {
      const cookie = (name: string) => lastCookie(typed, call, name);
      for (const [name, value] of journey.carry?.(kind, call.reply, cookie) ?? []) carried.set(name, value);
    };
    for (const [kind, { calls }] of steps) {
      const page = around.before(kind)?.[pass];
      if (page !== undefined) take(kind, page);
      const request = journey.request(kind, typed.user, typed.item, carried);
      const call = calls[pass];
      const where = `${kind} (${describeCall(call)})`;
      if (typeof request === 'string') return `${where}: ${request}`;
      take(kind, call);
      const after = kind === 'login' ? around.afterLogin?.[pass] : undefined;
      if (after !== undefined) take(kind, after);
      const change = pass === 0 ? findChange(request, call, typed) : undefined;
      if (change !== undefined) return `${where} ${change}`;
      const { outcome, identity, items, error } = judge(kind, call.reply, journey);
      if (outcome !== 'ok') return `${where}: ${error}`;
      if (typeof identity === 'string' && identity !== typed.user)
        return `${where} names ${identity}, and not ${typed.user}`;
      if (kind === 'read' && !items?.includes(typed.item)) return `${where} does not list ${typed.item}`;
    }
  }
  return undefined;
}

/** Finds a value that a run would send and the first pass did not. A text that is new each time is the item. */
function findChange(
  { method, path, headers = [], body = '' }: JourneyRequest,
  call: RecordedCall,
  { item }: TypedCalls,
): string | undefined {
  const pairs = headers.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, headers[i + 1] ?? '']] : []));
  const none = { startedMs: 0, status: 0, responseHeaders: [], responseBody: '' };
  const sent = takeApart({ ...none, method, path, requestHeaders: pairs, requestBody: body }, 0);
  const isSame = (value: string, recorded = '') => value === recorded || value === protectBraces(recorded);
  const types = new Map(leavesOf(call.json).map(leaf => [leaf.path, typeof leaf.value]));
  const mistyped = leavesOf(sent.json).find(
    ({ path, value }) => value !== item && typeof value !== (types.get(path) ?? typeof value),
  );
  if (mistyped !== undefined)
    return `would send ${JSON.stringify(mistyped.value)} as ${mistyped.path}, and not a ${types.get(mistyped.path)}`;
  const other = sent.parts.find(({ key, value }) => value !== item && !isSame(value, call.values.get(key)));
  return (
    other &&
    `would send ${JSON.stringify(other.value)} as ${other.key}, and not ${JSON.stringify(call.values.get(other.key))}`
  );
}

function lastCookie({ all }: TypedCalls, until: RecordedCall, name: string): string | undefined {
  const set = all
    .filter(({ order }) => order <= until.order)
    .flatMap(cookiesSet)
    .filter(cookie => cookie.name === name);
  return set.at(-1)?.value;
}
