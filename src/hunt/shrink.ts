import type { PlannedStep, PlannedUser } from '../simulator/plan/planned-user.js';
import { exampleOptions } from '../simulator/scenario/applicable-faults.js';
import type { FaultSpec } from '../simulator/scenario/scenario.js';
import { listEventTriggers } from './aim.js';
import {
  dropLateSteps,
  faultsFromMs,
  type HuntedPlan,
  isPossible,
  type OkEvent,
  type TriedPlan,
} from './hunted-plan.js';

/** Says how a plan can be made simpler, and whether it still fails. */
export interface Shrinkable<Plan, Evidence> {
  /** Each lists simpler plans in one respect, the smallest plans first. `evidence` is that of the present plan. */
  readonly passes: readonly ((plan: Plan, evidence: Evidence) => Iterable<Plan>)[];
  /** Returns the key of a plan: plans with the same key are the same. */
  keyOf(plan: Plan): string;
  /** Returns the plan that fails as the first one did, with its evidence. It may differ a little from the candidate.
   * Undefined: it does not fail each time. */
  test(plan: Plan): Promise<Failing<Plan, Evidence> | undefined>;
  /** Returns whether a plan is simpler than another. No plan is simpler than itself, and there is an end. */
  isSimpler(plan: Plan, than: Plan): boolean;
  /** Returns whether the time is over. */
  isOver(): boolean;
}

export interface Failing<Plan, Evidence> {
  readonly plan: Plan;
  readonly evidence: Evidence;
}

export interface Shrunk<Plan, Evidence> extends Failing<Plan, Evidence> {
  /** How many candidates were tested. */
  readonly tested: number;
  /** Whether every simpler candidate was tested and did not fail. False: the time was over before. */
  readonly isSmallest: boolean;
}

/**
 * Looks for the smallest plan that still fails: delta debugging. Each pass takes the first simpler candidate that fails,
 * and begins again from there, until none is left. All passes are repeated until none of them finds anything. No
 * candidate is tested twice. Pure but for `test` and `isOver`.
 */
export async function shrink<Plan, Evidence>(
  start: Failing<Plan, Evidence>,
  { passes, keyOf, test, isSimpler, isOver }: Shrinkable<Plan, Evidence>,
): Promise<Shrunk<Plan, Evidence>> {
  const seen = new Set([keyOf(start.plan)]);
  let smallest = start;
  let tested = 0;
  /** Returns whether the pass has found a simpler plan. */
  const step = async (pass: (typeof passes)[number]): Promise<boolean> => {
    for (const candidate of pass(smallest.plan, smallest.evidence)) {
      const key = keyOf(candidate);
      if (seen.has(key) || !isSimpler(candidate, smallest.plan)) continue;
      if (isOver()) return false;
      seen.add(key);
      tested += 1;
      const failing = await test(candidate);
      if (failing === undefined || !isSimpler(failing.plan, smallest.plan)) continue;
      seen.add(keyOf(failing.plan));
      smallest = failing;
      return true;
    }
    return false;
  };
  for (let isChanged = true; isChanged && !isOver(); ) {
    isChanged = false;
    for (const pass of passes) while (await step(pass)) isChanged = true;
  }
  return { ...smallest, tested, isSmallest: !isOver() };
}

type Pass = (plan: HuntedPlan, evidence: TriedPlan) => Iterable<HuntedPlan>;

/**
 * Makes a plan simpler, in this order: fewer faults, fewer users, shorter phases, fewer steps of each user, events in
 * place of times, earlier steps, rounder times, plainer steps. Phases come early, because they make all later runs
 * shorter. `evidence` is the run of the plan that failed. Pure; a run can follow each plan.
 */
export const passes: readonly Pass[] = [
  dropFaults,
  dropUsers,
  shortenPhases,
  dropSteps,
  simplifyTriggers,
  moveStepsEarlier,
  roundFaults,
  simplifySteps,
].map(onlyPossible);

function onlyPossible(pass: Pass): Pass {
  return function* possible(plan, evidence) {
    for (const candidate of pass(plan, evidence)) {
      const users = keepPossibleSteps(candidate.users);
      const faults = retrigger(candidate.faults, plan, users, evidence.events);
      const adjusted = { ...candidate, users, faults };
      if (isPossible(adjusted)) yield adjusted;
    }
  };
}

function* dropFaults(plan: HuntedPlan): Generator<HuntedPlan> {
  for (const kept of listSublists(plan.faults)) yield { ...plan, faults: dropOrphans(kept) };
}

function* dropUsers(plan: HuntedPlan): Generator<HuntedPlan> {
  for (const kept of listSublists(plan.users)) yield { ...plan, users: kept };
}

function* dropSteps(plan: HuntedPlan): Generator<HuntedPlan> {
  const { users } = plan;
  for (const [index, user] of users.entries()) {
    const [login, ...others] = user.steps;
    if (login === undefined) continue;
    for (const kept of [[], ...listSublists(others)])
      yield { ...plan, users: users.with(index, { ...user, steps: [login, ...kept] }) };
  }
}

/** Yields the list without each half, each quarter, and so on down to each single part. Later parts are left out
 * first. */
export function* listSublists<T>(list: readonly T[]): Generator<T[]> {
  for (let size = Math.ceil(list.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let end = list.length; end > 0; end -= size) {
      const kept = list.toSpliced(Math.max(0, end - size), Math.min(size, end));
      if (kept.length > 0) yield kept;
    }
  }
}

/** Leaves out faults that wait for a fault which is not there. */
function dropOrphans(faults: readonly FaultSpec[]): FaultSpec[] {
  const ids = new Set<string>();
  return faults.filter(({ id, trigger }) => {
    const before = 'afterFault' in trigger ? trigger.afterFault : 'counter' in trigger ? trigger.sinceFault : undefined;
    const isThere = before === undefined || ids.has(before);
    if (isThere) ids.add(id);
    return isThere;
  });
}

/** Leaves out users without steps, and removals of what was not added. */
function keepPossibleSteps(users: readonly PlannedUser[]): PlannedUser[] {
  const added = new Set(
    users.flatMap(({ steps }) => steps.flatMap(({ kind, token }) => (kind === 'add' ? [token] : []))),
  );
  const isPossibleStep = ({ kind, token }: PlannedStep) => kind !== 'remove' || added.has(token);
  return users.map(user => ({ ...user, steps: user.steps.filter(isPossibleStep) }));
}

/**
 * Adjusts triggers that count events, when users or steps are left out. The fault keeps its moment: it counts the events
 * that are left, and waits longer if the last of them is earlier.
 */
function retrigger(
  faults: readonly FaultSpec[],
  { users }: HuntedPlan,
  kept: readonly PlannedUser[],
  events: readonly OkEvent[],
): FaultSpec[] {
  if (kept.reduce(countSteps, 0) === users.reduce(countSteps, 0)) return [...faults];
  const stepsKept = new Set(kept.flatMap(keysOfSteps));
  const left = new Set(kept.map(({ name }) => name));
  const dropped = new Set(users.flatMap(keysOfSteps).filter(key => !stepsKept.has(key)));
  // A replay or an additional login is no step of the plan: it stays as long as its user does.
  const isKept = ({ user, plannedMs }: OkEvent) => left.has(user) && !dropped.has(`${user} ${plannedMs}`);
  return faults.map(fault => ({ ...fault, trigger: adjust(fault.trigger, events, isKept) }));
}

function keysOfSteps({ name, steps }: PlannedUser): string[] {
  return steps.map(({ atMs }) => `${name} ${atMs}`);
}

function countSteps(sum: number, { steps }: PlannedUser): number {
  return sum + steps.length;
}

function adjust(
  trigger: FaultSpec['trigger'],
  events: readonly OkEvent[],
  isKept: (event: OkEvent) => boolean,
): FaultSpec['trigger'] {
  if (!('counter' in trigger) || trigger.sinceFault !== undefined) return trigger;
  const { counter, atLeast, delayMs = 0 } = trigger;
  const counted = events.filter(({ isRenewal }) => counter === 'requests.ok' || isRenewal).slice(0, atLeast);
  if (counted.length < atLeast || (counter !== 'requests.ok' && counter !== 'sessions.renewed')) return trigger;
  const left = counted.filter(isKept);
  const gapMs = Math.round((counted.at(-1)?.atMs ?? 0) - (left.at(-1)?.atMs ?? 0));
  const waitMs = delayMs + gapMs;
  if (left.length === 0) return trigger;
  return { counter, atLeast: left.length, ...(waitMs > 0 && { delayMs: waitMs }) };
}

/** Replaces a time by the event before it, and a count of requests by a count of renewals. */
function* simplifyTriggers(plan: HuntedPlan, { events, strikesMs }: TriedPlan): Generator<HuntedPlan> {
  for (const [index, fault] of plan.faults.entries()) {
    const struckMs = strikesMs.get(fault.id);
    if (struckMs === undefined) continue;
    for (const trigger of listEventTriggers(events, struckMs))
      yield { ...plan, faults: plan.faults.with(index, { ...fault, trigger }) };
  }
}

/** Moves everything to an earlier time: first the whole plan, then each step with all that follows. */
function* moveStepsEarlier(plan: HuntedPlan): Generator<HuntedPlan> {
  const times = [...new Set(plan.users.flatMap(({ steps }) => steps.map(({ atMs }) => atMs)))].sort((a, b) => a - b);
  for (const [index, atMs] of times.entries()) {
    const beforeMs = index === 0 ? 0 : (times[index - 1] ?? 0);
    for (const gapMs of listRounderNumbers(atMs - beforeMs)) yield pullForward(plan, atMs, atMs - beforeMs - gapMs);
  }
}

/** Moves all steps from a time on, and what strikes at a time after it, by `byMs` to an earlier time. */
function pullForward(plan: HuntedPlan, fromMs: number, byMs: number): HuntedPlan {
  const phaseMs = faultsFromMs(plan);
  const move = (ms: number) => (ms >= fromMs ? ms - byMs : ms);
  const users = plan.users.map(user => ({
    ...user,
    steps: user.steps.map(step => ({ ...step, atMs: move(step.atMs) })),
  }));
  const faults = plan.faults.map(fault => {
    const { trigger } = fault;
    return 'atMs' in trigger
      ? { ...fault, trigger: { atMs: Math.max(0, move(trigger.atMs + phaseMs) - phaseMs) } }
      : fault;
  });
  return { ...plan, users, faults };
}

/** Yields plans with shorter phases; the first one shortens all of them. It moves the time before the faults phase into
 * that phase, which then ends with the last fault. */
function* shortenPhases(plan: HuntedPlan, { strikesMs }: TriedPlan): Generator<HuntedPlan> {
  const { phases, faults } = plan;
  const beforeMs = faultsFromMs(plan);
  const early = faults.map(fault =>
    'atMs' in fault.trigger ? { ...fault, trigger: { atMs: fault.trigger.atMs + beforeMs } } : fault,
  );
  const endsMs = faults.map(({ id, forMs = 0 }) => (strikesMs.get(id) ?? Number.POSITIVE_INFINITY) + forMs);
  const neededMs = roundUp(Math.max(...endsMs) - beforeMs + 100);
  const faultsMs = Math.min(phases.faultsMs, neededMs);
  const onlyFaults = { warmupMs: 0, baselineMs: 0, faultsMs: faultsMs + beforeMs };
  const changes = [
    { ...onlyFaults, recoveryMs: 0, quiesceMs: 0 },
    onlyFaults,
    { faultsMs, recoveryMs: 0, quiesceMs: 0 },
    { faultsMs },
    ...listRounderNumbers(phases.recoveryMs).map(recoveryMs => ({ recoveryMs })),
    ...listRounderNumbers(phases.quiesceMs).map(quiesceMs => ({ quiesceMs })),
  ];
  for (const change of changes) {
    const moved = 'warmupMs' in change ? early : faults;
    yield dropLateSteps({ ...plan, phases: { ...phases, ...change }, faults: moved });
  }
}

function roundUp(ms: number): number {
  return Math.ceil(ms / 100) * 100;
}

/** Lengths of a fault that are worth a try. A shorter one shows nothing more. */
const plainLengthsMs = [100, 200, 500, 1_000, 2_000];

/** Gives faults shorter and rounder times, and the options that they have anyway. */
function* roundFaults(plan: HuntedPlan): Generator<HuntedPlan> {
  for (const [index, fault] of plan.faults.entries()) {
    const withFault = (changed: FaultSpec): HuntedPlan => ({ ...plan, faults: plan.faults.with(index, changed) });
    const { trigger, forMs = 0, options = {} } = fault;
    for (const each of roundTrigger(trigger)) yield withFault({ ...fault, trigger: each });
    for (const ms of plainLengthsMs.filter(each => each < forMs)) yield withFault({ ...fault, forMs: ms });
    const plain = exampleOptions(fault.do);
    for (const name of Object.keys(options).filter(each => !Object.hasOwn(plain, each)))
      yield withFault(dropOption(fault, name));
  }
}

function* roundTrigger(trigger: FaultSpec['trigger']): Generator<FaultSpec['trigger']> {
  if ('atMs' in trigger) {
    for (const atMs of listRounderNumbers(trigger.atMs)) yield { atMs };
  } else if ('afterFault' in trigger) {
    for (const delayMs of listRounderNumbers(trigger.delayMs)) yield { ...trigger, delayMs };
  } else {
    const { delayMs = 0, ...count } = trigger;
    for (const ms of listRounderNumbers(delayMs)) yield ms === 0 ? count : { ...count, delayMs: ms };
    if (trigger.atLeast > 1) yield { ...trigger, atLeast: 1 };
  }
}

function dropOption({ options = {}, ...fault }: FaultSpec, name: string): FaultSpec {
  const left = Object.entries(options).filter(([key]) => key !== name);
  return left.length === 0 ? fault : { ...fault, options: Object.fromEntries(left) };
}

function* simplifySteps(plan: HuntedPlan): Generator<HuntedPlan> {
  const isPlain = ({ beside, slowMs }: PlannedStep) => beside === undefined && slowMs === undefined;
  for (const [index, user] of plan.users.entries()) {
    for (const [place, step] of user.steps.entries()) {
      if (isPlain(step)) continue;
      const { beside: _beside, slowMs: _slowMs, ...plain } = step;
      yield { ...plan, users: plan.users.with(index, { ...user, steps: user.steps.with(place, plain) }) };
    }
  }
}

/** Returns smaller numbers that are worth a try: zero, half, and one with a single digit. The smallest come first. */
export function listRounderNumbers(number: number): number[] {
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, number))));
  const half = Math.ceil(number / 2 / (digits / 10)) * (digits / 10);
  const all = [0, Math.round(half), Math.floor(number / digits) * digits].filter(each => each < number);
  return [...new Set(all)].sort((a, b) => a - b);
}
