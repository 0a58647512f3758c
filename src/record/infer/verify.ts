import { journey as schema, type WrittenJourney } from '../../simulator/scenario/journey/journey.js';
import type { StepKind } from '../../simulator/scenario/journey/mapping.js';
import { mappedJourney } from '../../simulator/users/mapped-journey.js';
import { judge } from '../../simulator/users/outcome.js';
import type { AlignedPasses, FoundStep } from './align.js';
import { cookiesSet, describeCall, type RecordedCall, type TypedCalls } from './call.js';

/** The call before a step in each pass, if the step has one. */
export type BeforeOf = (kind: StepKind) => readonly [RecordedCall, RecordedCall] | undefined;

/**
 * Judges the recorded answers by the inferred journey, as a run would judge them. Returns the first thing that does not
 * fit: a journey that does not even fit its own recording must not be written.
 */
export function findMisfit(
  written: WrittenJourney,
  recording: AlignedPasses,
  steps: ReadonlyMap<StepKind, FoundStep>,
  beforeOf: BeforeOf,
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
      const page = beforeOf(kind)?.[pass];
      if (page !== undefined) take(kind, page);
      const request = journey.request(kind, typed.user, typed.item, carried);
      const call = calls[pass];
      const where = `${kind} (${describeCall(call)})`;
      if (typeof request === 'string') return `${where}: ${request}`;
      take(kind, call);
      const { outcome, identity, items, error } = judge(kind, call.reply, journey);
      if (outcome !== 'ok') return `${where}: ${error}`;
      if (typeof identity === 'string' && identity !== typed.user)
        return `${where} names ${identity}, and not ${typed.user}`;
      if (kind === 'read' && !items?.includes(typed.item)) return `${where} does not list ${typed.item}`;
    }
  }
  return undefined;
}

function lastCookie({ all }: TypedCalls, until: RecordedCall, name: string): string | undefined {
  const set = all
    .filter(({ order }) => order <= until.order)
    .flatMap(cookiesSet)
    .filter(cookie => cookie.name === name);
  return set.at(-1)?.value;
}
