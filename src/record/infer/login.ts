import { type AlignedPasses, type FoundStep, findInBoth } from './align.js';
import {
  answerLeaves,
  carries,
  cookiesSet,
  describeCall,
  isDone,
  isSafe,
  type RecordedCall,
  type TypedCalls,
  tellingHeaders,
} from './call.js';
import { chooseOne, type Stop, stopWith } from './stop.js';

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
