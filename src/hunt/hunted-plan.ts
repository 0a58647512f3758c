import type { ModeName } from '../modes.js';
import type { PlannedUser } from '../simulator/plan/planned-user.js';
import { arrivalsOf } from '../simulator/scenario/fixed-users.js';
import type { FaultSpec, Scenario } from '../simulator/scenario/scenario.js';

/** Everything that a hunt chooses for one run. The system stays as the scenario says. */
export interface HuntedPlan {
  /** The seed of the random choices of faults. */
  readonly seed: number;
  readonly users: readonly PlannedUser[];
  readonly phases: Scenario['phases'];
  /** At least one. */
  readonly faults: readonly FaultSpec[];
}

/** An operation that ended ok, in the order in which operations ended. */
export interface OkEvent {
  readonly atMs: number;
  readonly user: string;
  readonly kind: string;
  /** The time of the step in the plan. */
  readonly plannedMs: number;
  readonly backend?: string | undefined;
  /** The answer replaced the session cookie. */
  readonly isRenewal: boolean;
}

/** The users and faults to which the checker traces a failure. */
export interface FailureTrace {
  readonly users: readonly string[];
  readonly faults: readonly string[];
}

/** The result of one run of a hunt. */
export interface TriedPlan {
  readonly word: 'pass' | 'fail' | 'inconclusive';
  /** Expectations that were not met, as written. Empty unless it failed. */
  readonly unmet: readonly string[];
  /** Sentences of the verdict. */
  readonly reasons: readonly string[];
  readonly events: readonly OkEvent[];
  /** When each fault was requested, by its id. */
  readonly strikesMs: ReadonlyMap<string, number>;
  readonly trace: FailureTrace;
}

/** Makes one run. Rejects with `LabError` when the lab failed, and with `Interrupted`. */
export type TryPlan = (plan: HuntedPlan) => Promise<TriedPlan>;

/** Returns the time of the run at which the faults phase begins. */
export function faultsFromMs({ phases }: Pick<HuntedPlan, 'phases'>): number {
  return phases.warmupMs + phases.baselineMs;
}

/** Leaves out steps that would begin after the recovery, and users without a step. Pure. */
export function dropLateSteps(plan: HuntedPlan): HuntedPlan {
  const endMs = faultsFromMs(plan) + plan.phases.faultsMs + plan.phases.recoveryMs;
  const users = plan.users.map(user => ({ ...user, steps: user.steps.filter(({ atMs }) => atMs < endMs) }));
  return { ...plan, users: users.filter(({ steps }) => steps.length > 0) };
}

/** Returns the scenario of one run: the system of `base`, with the users, phases and faults of the plan. Pure. */
export function makeRunScenario(
  base: Scenario,
  mode: ModeName,
  sought: readonly string[],
  { seed, users, phases, faults }: HuntedPlan,
): Scenario {
  const { mix: _mix, ...habits } = base.users;
  const names = users.map(({ name }) => name);
  return {
    ...base,
    seed,
    modes: [mode],
    users: { ...habits, names, tabs: 1, slowAtLogoutMs: undefined, plan: users, arrivals: arrivalsOf(users) },
    phases,
    faults,
    expect: { any: sought },
  };
}

/**
 * Returns whether a run can follow the plan: each user begins with a login, all steps begin before the quiescence, what
 * is removed was added, and faults wait only for earlier ones and fit into their phase. Pure.
 */
export function isPossible(plan: HuntedPlan): boolean {
  const { users, phases, faults } = plan;
  const endMs = faultsFromMs(plan) + phases.faultsMs + phases.recoveryMs;
  if (users.length === 0 || faults.length === 0) return false;
  if (!users.every(({ steps }) => steps[0]?.kind === 'login' && steps.every(({ atMs }) => atMs < endMs))) return false;
  const ids = new Set<string>();
  const endsMs = new Map<string, number>();
  for (const { id, trigger, forMs = 0 } of faults) {
    const before = 'afterFault' in trigger ? trigger.afterFault : 'counter' in trigger ? trigger.sinceFault : undefined;
    if (before !== undefined && !ids.has(before)) return false;
    const fromMs = 'atMs' in trigger ? trigger.atMs : (trigger.delayMs ?? 0);
    const beginsMs = fromMs + ('afterFault' in trigger ? (endsMs.get(trigger.afterFault) ?? 0) : 0);
    if (beginsMs + forMs > phases.faultsMs) return false;
    ids.add(id);
    endsMs.set(id, beginsMs + forMs);
  }
  return true;
}
