import type { WhoPlace } from '../../simulator/scenario/journey/mapping.js';
import type { AlignedPasses, FoundStep } from './align.js';
import { carries, cookiesSet, describeCall, isDone, isSafe, type RecordedCall, type TypedCalls } from './call.js';
import { findWho, shows } from './place.js';

/** Finds steps that a journey can do without: the question for the user's name, and the logout. */

export interface WhoamiStep extends FoundStep {
  readonly who: WhoPlace;
}

/** Finds a request whose JSON names the user. It carries no name itself, since then the answer could be an echo. */
export function findWhoami(
  recording: AlignedPasses,
  login: FoundStep,
  others: readonly FoundStep[],
): WhoamiStep | undefined {
  const { first, second } = recording;
  const known = new Set(others.map(({ group }) => group));
  for (const group of recording.groups) {
    if (known.has(group)) continue;
    const calls = [lastNaming(group.first, first, login.calls[0]), lastNaming(group.second, second, login.calls[1])];
    const [one, other] = calls;
    if (one === undefined || other === undefined) continue;
    const who = findWho(
      [
        { answer: one, value: first.user },
        { answer: other, value: second.user },
      ],
      [],
    );
    if (who?.path !== undefined) return { group, calls: [one, other], who };
  }
  return undefined;
}

function lastNaming(
  calls: readonly RecordedCall[],
  { user, item }: TypedCalls,
  login: RecordedCall,
): RecordedCall | undefined {
  return calls.findLast(
    call =>
      isSafe(call) &&
      call.order > login.order &&
      isDone(call) &&
      !carries(call, user) &&
      !carries(call, item) &&
      shows(call, user),
  );
}

const logoutName = /\b(log|sign)[-_]?(out|off)\b/i;

/** Finds the request that ends the session: it deletes a cookie, or its name says so. A write is preferred. */
export function findLogout({ first, second, groups }: AlignedPasses, after: FoundStep): FoundStep | undefined {
  const found = groups.flatMap((group): FoundStep[] => {
    const one = group.first.find(call => call.order > after.calls[0].order && endsSession(call, first));
    const other = group.second.find(call => call.order > after.calls[1].order && endsSession(call, second));
    return one === undefined || other === undefined ? [] : [{ group, calls: [one, other] }];
  });
  return found.find(({ calls: [call] }) => !isSafe(call)) ?? found[0];
}

function endsSession(call: RecordedCall, { calls, item }: TypedCalls): boolean {
  if (!isDone(call) || carries(call, item)) return false;
  const given = new Set(
    calls
      .filter(({ order }) => order < call.order)
      .flatMap(cookiesSet)
      .filter(({ isGone }) => !isGone)
      .map(({ name }) => name),
  );
  const isGone = cookiesSet(call).some(({ name, isGone }) => isGone && given.has(name));
  return isGone || logoutName.test(describeCall(call).replaceAll(/([a-z])([A-Z])/g, '$1-$2'));
}
