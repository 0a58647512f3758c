import { ScenarioError } from './errors.js';
import type { OperationKind } from './history/records.js';
import { exponential, pick, type Random, randomStream } from './random.js';
import { stepOf } from './scenario/journey-mapping.js';
import type { FaultSpec, Scenario } from './scenario/scenario.js';
import { planShopper } from './shop-journey.js';

/**
 * Everything that chance decides, decided before the run: the same scenario and seed give the same plan, to the byte.
 * It fixes what users want and when, and what breaks when; not how requests interleave in the servers.
 */
export interface Plan {
  readonly scenario: string;
  readonly seed: number;
  readonly users: readonly PlannedUser[];
  /** Targets resolved: no `backend-any` is left; `store` is, since every mode has its own. */
  readonly faults: readonly FaultSpec[];
}

export interface PlannedUser {
  readonly name: string;
  /** In the order of `atMs`; the first is a login. Only steps in several tabs share an instant. Milliseconds since the start of the run. */
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStep {
  readonly atMs: number;
  readonly kind: Exclude<OperationKind, 'replay'>;
  readonly token?: string;
  /** The next step does not wait for its answer: it is taken in another tab of the same browser. */
  readonly beside?: true;
  /** The app is asked to take so long over it, between opening the session and changing it. */
  readonly slowMs?: number;
}

export const usersMax = 100_000;
export const stepsMax = 2_000_000;

/** Pure. Throws `ScenarioError` when the plan would hold more than `usersMax` users or `stepsMax` steps. */
export function makePlan(scenario: Scenario, seed: number): Plan {
  const users: PlannedUser[] = [];
  let steps = 0;
  const { journey } = scenario.users;
  const can = (kind: OperationKind) => journey === 'shop' || stepOf(journey, kind) !== undefined;
  for (const [index, atMs] of arrivalTimes(scenario, seed).entries()) {
    const user = planShopper(`user-${index + 1}`, atMs, planDurationMs(scenario), { ...scenario.users, can }, seed);
    steps += user.steps.length;
    refuseAbove(steps, stepsMax, 'steps', 'users.arrivals.rate or users.arrivals.for, or raise users.think.median');
    users.push(user);
  }
  return { scenario: scenario.name, seed, users, faults: resolveTargets(scenario, seed) };
}

/** From the start of the warmup to the end of the recovery: users begin nothing later. Quiescence comes after it. */
export function planDurationMs({ phases }: Scenario): number {
  return phases.warmupMs + phases.baselineMs + phases.faultsMs + phases.recoveryMs;
}

/** Users stay until the end of the recovery, so at most `maxActive` ever come. */
function arrivalTimes(scenario: Scenario, seed: number): number[] {
  const { ratePerSecond, forMs, process, maxActive } = scenario.users.arrivals;
  const random = randomStream(seed, 'arrivals');
  const meanGapMs = 1000 / ratePerSecond;
  const nextGapMs = process === 'poisson' ? () => exponential(random, meanGapMs) : () => meanGapMs;
  const endMs = Math.min(forMs, planDurationMs(scenario));
  const times: number[] = [];
  for (let atMs = process === 'poisson' ? nextGapMs() : 0; atMs < endMs && times.length < maxActive; ) {
    times.push(Math.floor(atMs));
    refuseAbove(
      times.length,
      usersMax,
      'users',
      'users.arrivals.rate, users.arrivals.for or users.arrivals.max-active',
    );
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

function resolveTargets(scenario: Scenario, seed: number): FaultSpec[] {
  return scenario.faults.map(fault => {
    if (!fault.target.includes('backend-any')) return fault;
    const chosen = anyBackend(scenario, randomStream(seed, `fault/${fault.id}/target`));
    return { ...fault, target: fault.target.replace('backend-any', chosen) };
  });
}

function anyBackend({ system }: Scenario, random: Random): string {
  const numbers = Array.from({ length: system.backends.count }, (_, index) => index + 1);
  return `backend-${pick(random, numbers) ?? 1}`;
}
