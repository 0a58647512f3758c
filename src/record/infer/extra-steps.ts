import type { WhoPlace } from '../../simulator/scenario/journey/mapping.js';
import { type AlignedPasses, type FoundStep, findInBoth } from './align.js';
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
  const naming = findInBoth(recording, (calls, { user, item }, pass) => {
    const isEcho = (call: RecordedCall) => carries(call, user) || carries(call, item);
    const after = calls.filter(call => call.order > login.calls[pass].order && isSafe(call) && isDone(call));
    return after.findLast(call => !isEcho(call) && shows(call, user));
  });
  const users = [recording.first.user, recording.second.user] as const;
  for (const step of naming.filter(({ group }) => !others.some(other => other.group === group))) {
    const who = findWho(
      step.calls.map((answer, pass) => ({ answer, value: users[pass] ?? '' })),
      [],
    );
    if (who?.path !== undefined) return { ...step, who };
  }
  return undefined;
}

const logoutName = /\b(log|sign)[-_]?(out|off)\b/i;

/**
 * Finds the request after the last read that ends the session: it deletes a cookie of the login, its name says so, or
 * the app answers as without a login from then on.
 */
export function findLogout(recording: AlignedPasses, login: FoundStep, read: FoundStep): FoundStep | undefined {
  const refusals = read.group.anonymous.flatMap(call => redirectOf(call) ?? []);
  const found = findInBoth(recording, (calls, typed, pass) => {
    const after = calls.filter(call => call.order > read.calls[pass].order && !carries(call, typed.item));
    return after.findLast(call => isDone(call) && endsSession(call, login.calls[pass], typed, refusals));
  });
  const others = found.filter(({ group }) => group !== read.group && group !== login.group);
  return others.find(({ calls: [call] }) => !isSafe(call)) ?? others[0];
}

/** `refusals`: where the app redirects requests without a login. */
function endsSession(
  call: RecordedCall,
  login: RecordedCall,
  { calls }: TypedCalls,
  refusals: readonly string[],
): boolean {
  const given = new Set([...login.cookies.keys(), ...cookiesSet(login).map(({ name }) => name)]);
  if (cookiesSet(call).some(({ name, isGone }) => isGone && given.has(name))) return true;
  if (logoutName.test(describeCall(call).replaceAll(/([a-z])([A-Z])/g, '$1-$2'))) return true;
  const isLastWrite = call === calls.findLast(each => !isSafe(each) && isDone(each));
  const isRefusal = (each: RecordedCall) => refusals.includes(redirectOf(each) ?? '');
  const isRefused = (each: RecordedCall) => [401, 403].includes(each.reply.status ?? 0) || isRefusal(each);
  return isLastWrite && (isRefusal(call) || calls.some(each => each.order > call.order && isRefused(each)));
}
