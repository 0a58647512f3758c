import type { WrittenJourney } from '../../simulator/scenario/journey/journey.js';
import type { StepKind } from '../../simulator/scenario/journey/mapping.js';
import type { Inferred, Passes } from '../passes.js';
import { findAdd, findRemove } from './add.js';
import { type AlignedPasses, alignPasses, type FoundStep } from './align.js';
import { findAnonymous } from './anonymous.js';
import { describeCall, type RecordedCall } from './call.js';
import { RequestWriter } from './carry.js';
import { findLogout, findWhoami } from './extra-steps.js';
import { findLogin } from './login.js';
import { writeOk } from './ok.js';
import { shows, withoutRepeats } from './place.js';
import { findRead, type ReadStep } from './read.js';
import { isStop, stopWith } from './stop.js';
import { findMisfit } from './verify.js';

/**
 * Infers the journey of an app from the difference of three recorded passes. The steps are found one after the other,
 * and each search builds on the steps before it:
 *
 *     align passes -> login -> add -> read (items, who) -> others -> requests (carry, before) -> anonymous -> ok
 *
 * At the end the recorded answers are judged by the journey, so that it fits at least its own recording. `answers`: what
 * the person chose, by the id of the question. Pure: the same passes give the same journey.
 */
export function inferJourney(passes: Passes, answers: ReadonlyMap<string, string>): Inferred {
  const recording = alignPasses(passes);
  const login = findLogin(recording, answers);
  if (isStop(login)) return login;
  const add = findAdd(recording, login, answers);
  if (isStop(add)) return add;
  const read = findRead(recording, add, answers);
  if (isStop(read)) return read;
  const steps = findSteps(recording, login, add, read);
  const writer = new RequestWriter(recording, login, answers);
  const requests = writer.write(steps);
  if (isStop(requests)) return requests;
  const kept = new Map([...steps].filter(([kind]) => requests.has(kind)));
  const anonymous = findAnonymous(recording, read, collectLoggedIn(recording, kept, read, writer));
  if (isStop(anonymous)) return anonymous;

  const bad = [...read.group.anonymous, ...(writer.before('login') ?? [])];
  const parts = [...kept].map(([kind, step]) => {
    const who = 'who' in step && step.who !== undefined ? { who: step.who } : {};
    const items = kind === 'read' ? { items: read.items } : {};
    return [kind, { ...requests.get(kind), ok: writeOk(kind, step, recording, bad), ...items, ...who }];
  });
  const carry = writer.carry.size === 0 ? {} : { carry: Object.fromEntries(writer.carry) };
  const journey: WrittenJourney = { ...Object.fromEntries(parts), anonymous: anonymous.conditions, ...carry };
  const around = { before: (kind: StepKind) => writer.before(kind), afterLogin: writer.afterLogin };
  const misfit = findMisfit(journey, recording, kept, around);
  if (misfit !== undefined)
    return stopWith(`the journey that was found does not fit the recording: ${misfit}. Write users.journey by hand`);
  return {
    kind: 'journey',
    journey,
    notes: [...writer.notes, ...read.notes, ...anonymous.notes, ...describeMissing(kept)],
  };
}

function findSteps(
  recording: AlignedPasses,
  login: FoundStep,
  add: FoundStep,
  read: ReadStep,
): Map<StepKind, FoundStep> {
  const remove = findRemove(recording, login, add);
  const logout = findLogout(recording, login, read);
  const known = [login, add, read, ...[remove, logout].flatMap(step => step ?? [])];
  const whoami = findWhoami(recording, login, known);
  const found: [StepKind, FoundStep | undefined][] = [
    ['login', login],
    ['add', add],
    ['read', read],
    ['whoami', whoami],
    ['remove', remove],
    ['logout', logout],
  ];
  return new Map(found.flatMap(([kind, step]): [StepKind, FoundStep][] => (step === undefined ? [] : [[kind, step]])));
}

/** Collects answers that a user with a login got: none of them may be taken for one without a login. */
function collectLoggedIn(
  { first, second }: AlignedPasses,
  steps: ReadonlyMap<StepKind, FoundStep>,
  { group }: ReadStep,
  writer: RequestWriter,
): RecordedCall[] {
  const own = [...steps].flatMap(([kind, { calls }]) => (kind === 'logout' ? [] : calls));
  const pages = [...steps.keys()].flatMap(kind => (kind === 'login' ? [] : (writer.before(kind) ?? [])));
  const views = [
    ...group.first.filter(call => shows(call, first.user)),
    ...group.second.filter(call => shows(call, second.user)),
  ];
  return [...own, ...pages, ...(writer.afterLogin ?? []), ...withoutRepeats(views)];
}

function describeMissing(steps: ReadonlyMap<StepKind, FoundStep>): string[] {
  const notes = [];
  if (!steps.has('logout')) notes.push('no logout was seen: a run has none');
  const read = steps.get('read');
  if (read !== undefined && !('who' in read && read.who !== undefined))
    notes.push(
      `${describeCall(read.calls[0])} does not name the user, so its answers do not show when users get each other's carts`,
    );
  return notes;
}
