import type { WhoPlace } from '../../simulator/scenario/journey/mapping.js';
import type { AlignedPasses, FoundStep } from './align.js';
import {
  carries,
  cookiesSet,
  describeCall,
  isDone,
  isSafe,
  type RecordedCall,
  redirectOf,
  type TypedCalls,
} from './call.js';
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

/**
 * Finds the request after the last read that ends the session: it deletes a cookie of the login, its name says so, or
 * the app answers as without a login from then on.
 */
export function findLogout(passes: AlignedPasses, login: FoundStep, read: FoundStep): FoundStep | undefined {
  const refusals = read.group.anonymous.flatMap(call => redirectOf(call) ?? []);
  const found = passes.groups.flatMap((group): FoundStep[] => {
    if (group === read.group || group === login.group) return [];
    const one = findEnd(group.first, passes.first, login.calls[0], read.calls[0], refusals);
    const other = findEnd(group.second, passes.second, login.calls[1], read.calls[1], refusals);
    return one === undefined || other === undefined ? [] : [{ group, calls: [one, other] }];
  });
  return found.find(({ calls: [call] }) => !isSafe(call)) ?? found[0];
}

function findEnd(
  own: readonly RecordedCall[],
  { calls, item }: TypedCalls,
  login: RecordedCall,
  read: RecordedCall,
  refusals: readonly string[],
): RecordedCall | undefined {
  const given = new Set([...login.cookies.keys(), ...cookiesSet(login).map(({ name }) => name)]);
  const isRefused = (call: RecordedCall) => call.reply.status === 401 || call.reply.status === 403 || isRefusal(call);
  const isRefusal = (call: RecordedCall) => refusals.includes(redirectOf(call) ?? '');
  const lastWrite = calls.findLast(call => !isSafe(call) && isDone(call));
  return own.findLast(call => {
    if (!isDone(call) || call.order < read.order || carries(call, item)) return false;
    if (cookiesSet(call).some(({ name, isGone }) => isGone && given.has(name))) return true;
    if (logoutName.test(describeCall(call).replaceAll(/([a-z])([A-Z])/g, '$1-$2'))) return true;
    const later = calls.filter(({ order }) => order > call.order);
    return call === lastWrite && (isRefusal(call) || later.some(isRefused));
  });
}
