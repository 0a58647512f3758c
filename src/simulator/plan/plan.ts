import { ScenarioError } from '../errors.js';
import type { OperationKind } from '../history/records.js';
import { stepOf } from '../scenario/journey/mapping.js';
import type { FaultSpec, Scenario } from '../scenario/scenario.js';
import type { PlannedUser } from './planned-user.js';
import { drawExponential, pick, type Random, randomStream } from './random.js';
import { type Habits, planShopper } from './shop-journey.js';

/**
 * All random choices of a run, made before it: the same scenario and seed give the same plan, byte for byte. The plan
 * fixes what users do and when, and what breaks when. It does not fix how requests interleave in the servers.
 */
export interface Plan {
  readonly scenario: string;
  readonly seed: number;
  readonly users: readonly PlannedUser[];
  /** The faults with their targets resolved: `backend-any` is replaced. `store` remains, since it depends on the
   * mode. */
  readonly faults: readonly FaultSpec[];
}

export const usersMax = 100_000;
export const stepsMax = 2_000_000;

/** Makes the plan of a run. Pure. Throws `ScenarioError` when it would hold more than `usersMax` users or `stepsMax`
 * steps. */
export function makePlan(scenario: Scenario, seed: number): Plan {
  const { plan } = scenario.users;
  const faults = planFaults(scenario, seed);
  return { scenario: scenario.name, seed, users: plan ?? planUsers(scenario, seed), faults };
}

function planUsers(scenario: Scenario, seed: number): PlannedUser[] {
  const users: PlannedUser[] = [];
  let steps = 0;
  const { names, arrivals } = scenario.users;
  const habits = habitsOf(scenario);
  const endMs = planDurationMs(scenario);
  const times = arrivalTimes(arrivals, endMs, seed);
  refuseAbove(times.length, usersMax, 'users', 'users.arrivals.rate, users.arrivals.for or users.arrivals.max-active');
  if (Array.isArray(names) && times.length > names.length)
    throw new ScenarioError(`users.names: ${describeTooFewNames(names.length, times.length)}.`);
  for (const [index, atMs] of times.entries()) {
    const id = `user-${index + 1}`;
    const user = planShopper({ id, name: userName(names, index + 1) }, { fromMs: atMs, endMs }, habits, seed);
    steps += user.steps.length;
    refuseAbove(steps, stepsMax, 'steps', 'users.arrivals.rate or users.arrivals.for, or raise users.think.median');
    users.push(user);
  }
  return users;
}

/** Returns what the users of a scenario can do, and how often they do it. */
export function habitsOf({ users }: Pick<Scenario, 'users'>): Habits {
  const { journey } = users;
  const can = (kind: OperationKind) => journey === 'shop' || stepOf(journey, kind) !== undefined;
  return { ...users, can, canBeSlow: journey === 'shop' };
}

/** Returns the time from the start of the warmup to the end of the recovery. Users begin nothing later: quiescence
 * follows. */
export function planDurationMs({ phases }: Scenario): number {
  return phases.warmupMs + phases.baselineMs + phases.faultsMs + phases.recoveryMs;
}

/** The form of user names in scenario files and plans. */
export const userNamePattern = /^[A-Za-z0-9][\w.@+-]{0,63}$/;

/** Returns the name of the user with this number, from 1. */
export function userName(names: Scenario['users']['names'], number: number): string {
  if (names === undefined) return `user-${number}`;
  return typeof names === 'string' ? names.replace('{n}', String(number)) : (names[number - 1] ?? '');
}

/** Says that more users arrive than there are names. */
export function describeTooFewNames(names: number, users: number): string {
  return `found ${names} names for ${users} users that come, expected one for each: add names, or write max-active: ${names} under users.arrivals`;
}

/**
 * Returns when users arrive, before `endMs`. They stay until then, so at most `maxActive` users ever arrive. It stops
 * at one more than `usersMax`.
 */
export function arrivalTimes(arrivals: Scenario['users']['arrivals'], endMs: number, seed: number): number[] {
  const { ratePerSecond, forMs, process, maxActive } = arrivals;
  const random = randomStream(seed, 'arrivals');
  const meanGapMs = 1000 / ratePerSecond;
  const nextGapMs = process === 'poisson' ? () => drawExponential(random, meanGapMs) : () => meanGapMs;
  const untilMs = Math.min(forMs, endMs);
  const most = Math.min(maxActive, usersMax + 1);
  const times: number[] = [];
  for (let atMs = process === 'poisson' ? nextGapMs() : 0; atMs < untilMs && times.length < most; ) {
    times.push(Math.floor(atMs));
    atMs += nextGapMs();
  }
  return times;
}

function refuseAbove(count: number, max: number, what: string, lower: string): void {
  if (count <= max) return;
  throw new ScenarioError(
    `the plan holds more than ${max.toLocaleString('en')} ${what}, which is the limit: lower ${lower}.`,
  );
}

/** Returns the faults of a scenario. The seed chooses each `backend-any`. */
export function planFaults(scenario: Scenario, seed: number): FaultSpec[] {
  return scenario.faults.map(fault => {
    if (!fault.target.includes('backend-any')) return fault;
    const chosen = drawBackend(scenario, randomStream(seed, `fault/${fault.id}/target`));
    return { ...fault, target: fault.target.replace('backend-any', chosen) };
  });
}

function drawBackend({ system }: Scenario, random: Random): string {
  const numbers = Array.from({ length: system.backends.count }, (_, index) => index + 1);
  return `backend-${pick(random, numbers) ?? 1}`;
}
