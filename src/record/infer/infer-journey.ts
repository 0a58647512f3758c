import { journey as schema, type WrittenJourney } from '../../simulator/scenario/journey/journey.js';
import { protectBraces, type StepKind } from '../../simulator/scenario/journey/mapping.js';
import type { JourneyRequest } from '../../simulator/users/journey.js';
import { mappedJourney } from '../../simulator/users/mapped-journey.js';
import { judge } from '../../simulator/users/outcome.js';
import type { Inferred, Passes } from '../recording.js';
import { type AlignedPasses, alignPasses, type FoundStep, isStop, stopWith } from './align.js';
import { cookiesSet, describeCall, leavesOf, type RecordedCall, type TypedCalls, takeApart } from './call.js';
import { RequestWriter } from './carry.js';
import { findAnonymous, writeOk } from './conditions.js';
import { shows, withoutRepeats } from './place.js';
import { findRead, type ReadStep } from './read.js';
import { findAdd, findLogin, findLogout, findRemove, findWhoami } from './steps.js';

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

type Calls = readonly [RecordedCall, RecordedCall];

/** The calls around the steps in each pass, if there are any. */
interface CallsAround {
  readonly before: (kind: StepKind) => Calls | undefined;
  readonly afterLogin: Calls | undefined;
}

/**
 * Judges the recorded answers by the inferred journey, as a run would judge them. Returns the first thing that does not
 * fit: a journey that does not even fit its own recording must not be written.
 */
function findMisfit(
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
