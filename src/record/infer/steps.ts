import type { WhoPlace } from '../../simulator/scenario/journey/mapping.js';
import { type AlignedPasses, chooseOne, type FoundStep, findInBoth, type Group, type Stop, stopWith } from './align.js';
import {
  answerLeaves,
  carries,
  cookiesSet,
  describeCall,
  isDone,
  isSafe,
  type RecordedCall,
  redirectOf,
  type TypedCalls,
  tellingHeaders,
} from './call.js';
import { findWho, shows } from './place.js';

/**
 * Finds all steps but the read (`read.ts`): the login, the add and the remove, and those that a journey can do without: the
 * question for the user's name, and the logout.
 */

/**
 * Finds the request that logs in. It carries the name of the user, comes before the first request with the item, and
 * its answer gives what later requests send: a cookie or a token. Without such an answer the request itself decides.
 */
export function findLogin(recording: AlignedPasses, answers: ReadonlyMap<string, string>): FoundStep | Stop {
  const problem = findPassProblem(recording);
  if (problem !== undefined) return stopWith(problem);
  const candidates = findInBoth(recording, lastLogin);
  const opening = candidates.filter(({ calls: [call] }) => opensSession(call, recording.first));
  const writing = (steps: FoundStep[]) => (steps.some(isWrite) ? steps.filter(isWrite) : steps);
  const best = writing(opening.length > 0 ? opening : candidates);
  if (best.length === 0)
    return stopWith(
      explainRefusal(recording) ??
        `no request before the first item carries the user in both passes: log in as ${recording.first.user}, and in the second pass as ${recording.second.user}`,
    );
  const cookie = findScriptCookie(recording, best);
  if (cookie !== undefined)
    return stopWith(
      `a script of the app sets the cookie ${cookie} from the answer to the login, and a journey runs no scripts: write users.journey by hand, with the token as a header if the app takes it there`,
    );
  return chooseOne(
    'login',
    'Which request logs the user in?',
    best,
    ({ calls: [call] }) => describeCall(call),
    answers,
  );
}

/** Says that the app refused the login of a pass. */
function explainRefusal({ first, second }: AlignedPasses): string | undefined {
  for (const [pass, { calls, user }] of Object.entries({ first, second })) {
    const sent = calls.filter(call => !isSafe(call) && carries(call, user));
    const last = sent.at(-1);
    if (last !== undefined && !sent.some(isDone))
      return `the app refused the login of the ${pass} pass: ${describeCall(last)} was answered with status ${last.reply.status}. Record it again, with the right password`;
  }
  return undefined;
}

function isWrite({ calls: [call] }: FoundStep): boolean {
  return !isSafe(call);
}

function lastLogin(calls: readonly RecordedCall[], { user, item, calls: all }: TypedCalls): RecordedCall | undefined {
  const end = all.find(call => !isSafe(call) && carries(call, item)) ?? all.find(call => carries(call, item));
  return calls.findLast(
    call => isDone(call) && carries(call, user) && call.order < (end?.order ?? Number.POSITIVE_INFINITY),
  );
}

/** Whether the answer gives a cookie or a token that later requests send. */
function opensSession(login: RecordedCall, { calls }: TypedCalls): boolean {
  if (cookiesSet(login).some(({ isGone }) => !isGone)) return true;
  const told = [
    ...answerLeaves(login).map(({ value }) => String(value)),
    ...tellingHeaders(login).map(([, text]) => text),
  ];
  const texts = told.filter(text => text.length >= 8);
  const sent = calls
    .filter(({ order }) => order > login.order)
    .flatMap(({ parts, cookies }) => [
      ...parts.filter(({ at }) => at === 'header').map(({ value }) => value),
      ...cookies.values(),
    ]);
  return texts.some(text => sent.some(value => value.includes(text)));
}

/** Finds a cookie that no answer set, with a value from the answer to the login. */
function findScriptCookie({ first }: AlignedPasses, logins: readonly FoundStep[]): string | undefined {
  const set = new Set(first.all.flatMap(cookiesSet).map(({ name }) => name));
  const told = new Set(logins.flatMap(({ calls: [call] }) => answerLeaves(call)).map(({ value }) => String(value)));
  const sent = first.calls.flatMap(({ cookies }) => [...cookies]);
  return sent.find(([name, value]) => !set.has(name) && value.length >= 8 && told.has(value))?.[0];
}

/** Says why no login can be found in these passes at all. */
function findPassProblem({ first, second, visitor }: AlignedPasses): string | undefined {
  if (first.calls.length === 0 || second.calls.length === 0)
    return `the ${first.calls.length === 0 ? 'first' : 'second'} pass has no request with an answer: record it again`;
  if (!first.calls.some(call => carries(call, first.user)))
    return `no request of the first pass carries the user ${first.user}: record it again, and log in with exactly this name`;
  if (!second.calls.some(call => carries(call, second.user)))
    return second.calls.some(call => carries(call, first.user))
      ? `the second pass repeats the first: it also logs in as ${first.user}. Record it again with ${second.user}`
      : `no request of the second pass carries the user ${second.user}: record it again, and log in with exactly this name`;
  if (visitor.calls.some(call => carries(call, first.user) || carries(call, second.user)))
    return 'the pass without a login carries the name of a user: record it again in a fresh browser, and do not log in';
  return findOldCookie({ first, second, third: visitor });
}

/** Finds a cookie that a pass sends before an answer of this pass sets it: its browser was not fresh. */
function findOldCookie(passes: Readonly<Record<string, TypedCalls>>): string | undefined {
  const known = new Set(Object.values(passes).flatMap(({ all }) => all.flatMap(cookiesSet).map(({ name }) => name)));
  for (const [pass, { all }] of Object.entries(passes)) {
    const isSet = new Set<string>();
    for (const call of all) {
      const old = [...call.cookies.keys()].find(name => known.has(name) && !isSet.has(name));
      if (old !== undefined)
        return `the browser of the ${pass} pass already had the cookie ${old}: record it again in a fresh browser without cookies, such as a private window`;
      for (const { name } of cookiesSet(call)) isSet.add(name);
    }
  }
  return undefined;
}

/** Finds the request that adds the item: it carries the item after the login, and no answer showed the item as removed
 * after it. */
export function findAdd(
  recording: AlignedPasses,
  login: FoundStep,
  answers: ReadonlyMap<string, string>,
): FoundStep | Stop {
  const { first, second } = recording;
  const candidates = itemSteps(recording, login);
  if (candidates.length === 0) return stopWith(explainNoItem(recording));
  const removes = candidates.filter(step => candidates.some(other => other !== step && isRemoval(step, other, first)));
  const adds = candidates.filter(step => !removes.includes(step));
  const writes = adds.filter(({ calls: [call] }) => !isSafe(call));
  const best = writes.length > 0 ? writes : adds;
  const text = `Which request adds the item ${first.item} (${second.item} in the second pass)?`;
  return chooseOne('add', text, best, ({ calls: [call] }) => describeCall(call), answers);
}

/** Finds the request that removes the item again, if a pass shows one. */
export function findRemove(recording: AlignedPasses, login: FoundStep, add: FoundStep): FoundStep | undefined {
  return itemSteps(recording, login).find(step => step.group !== add.group && isRemoval(step, add, recording.first));
}

/** Returns the steps after the login that carry the item in both passes. */
function itemSteps(recording: AlignedPasses, login: FoundStep): FoundStep[] {
  return findInBoth(recording, (calls, { item }, pass) =>
    calls.find(call => call.order > login.calls[pass].order && isDone(call) && carries(call, item)),
  );
}

/** Whether some answer showed the item between the two steps, and an answer of its kind does not after the later one. */
function isRemoval({ calls: [remove] }: FoundStep, { calls: [add] }: FoundStep, { item, calls }: TypedCalls): boolean {
  if (isSafe(remove) || remove.order < add.order) return false;
  const isView = (call: RecordedCall) => isDone(call) && !carries(call, item) && call.reply.body !== '';
  const before = calls.filter(
    call => call.order > add.order && call.order < remove.order && isView(call) && shows(call, item),
  );
  const after = calls.filter(call => call.order > remove.order && isView(call));
  const again = after.filter(({ method, path }) => before.some(call => call.method === method && call.path === path));
  return again.length > 0 && again.every(call => !shows(call, item));
}

function explainNoItem({ first, second, groups }: AlignedPasses): string {
  const inFirst = first.calls.some(call => carries(call, first.item));
  const inSecond = second.calls.some(call => carries(call, second.item));
  if (!inFirst || !inSecond)
    return `no request of the ${inFirst ? 'second' : 'first'} pass carries the item ${inFirst ? second.item : first.item}: record it again, and type exactly this text where the app takes a free text`;
  const has = (group: Group) => group.first.some(call => carries(call, first.item));
  const [group] = groups.filter(has);
  const named = group?.first[0] === undefined ? 'The item' : `${describeCall(group.first[0])} carries the item, but it`;
  return `${named} is not sent in the same way in both passes after the login, with a good answer: record both passes again, with the same clicks`;
}

interface WhoamiStep extends FoundStep {
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
