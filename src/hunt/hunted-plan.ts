import type { ModeName } from '../modes.js';
import type { IncidentKind } from '../simulator/checker/findings.js';
import type { JudgedRun } from '../simulator/checker/verdict/verdict.js';
import type { PlannedUser } from '../simulator/plan/planned-user.js';
import type { FaultSpec, Scenario } from '../simulator/scenario/scenario.js';
import { arrivalsOf } from '../simulator/scenario/users.js';

/** The plan of one run of a hunt, and what the run showed. */

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
interface FailureTrace {
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

/** Returns whether a plan is simpler than another: fewer faults, else fewer users, and so on. Pure. */
export function isSimpler(plan: HuntedPlan, than: HuntedPlan): boolean {
  const [size, other] = [sizeOf(plan), sizeOf(than)];
  const index = size.findIndex((count, i) => count !== other[i]);
  return index >= 0 && (size[index] ?? 0) < (other[index] ?? 0);
}

/** Counts what a plan is made of, the most important first. */
function sizeOf(plan: HuntedPlan): readonly number[] {
  const { faults, users, phases } = plan;
  const steps = users.flatMap(user => user.steps);
  const { warmupMs, baselineMs, faultsMs, recoveryMs, quiesceMs } = phases;
  const oddities = steps.filter(({ beside, slowMs }) => beside || slowMs !== undefined).length;
  const options = faults.reduce((sum, fault) => sum + Object.keys(fault.options ?? {}).length, 0);
  const beforeMs = warmupMs + baselineMs;
  const ofFaults = faults.map(fault => numbersIn(fault, beforeMs));
  const lengthsMs = [...steps.map(({ atMs }) => atMs), ...ofFaults, beforeMs, faultsMs, recoveryMs, quiesceMs];
  return [
    faults.length,
    users.length,
    steps.length,
    faults.reduce((sum, { trigger }) => sum + rankOf(trigger), 0),
    oddities + options,
    lengthsMs.reduce((sum, ms) => sum + ms, 0),
    beforeMs,
  ];
}

/** Ranks a trigger; a lower rank is simpler: 0 a count of renewals, 1 another count, 2 a time. A count does not depend
 * on the speed of the machine. */
function rankOf(trigger: FaultSpec['trigger']): number {
  if (!('counter' in trigger)) return 2;
  return trigger.counter === 'sessions.renewed' ? 0 : 1;
}

function numbersIn({ trigger, forMs = 0 }: FaultSpec, phaseMs: number): number {
  if ('atMs' in trigger) return phaseMs + trigger.atMs + forMs;
  return (trigger.delayMs ?? 0) + ('counter' in trigger ? trigger.atLeast : 0) + forMs;
}

/** The incidents of which a metric counts one kind. */
const kindsOf: readonly (readonly [metrics: RegExp, kind: IncidentKind])[] = [
  [/^users\.(?:loggedOut|silentlyReset|flickered)/, 'logged-out'],
  [/^writes\.(?:lost|missing|unexplained)/, 'lost'],
  [/^writes\.stale/, 'stale'],
  [/^writes\.phantom/, 'phantom'],
  [/^writes\.duplicated/, 'duplicated'],
  [/^writes\.resurrected/, 'resurrected'],
  [/^writes\.failedVisible/, 'failed-visible'],
  [/^users\.identitySwapped/, 'identity-swapped'],
  [/^users\.logoutNotHonoured/, 'logout-not-honoured'],
  [/^users\.sessionKept/, 'session-kept'],
];

/** Returns what a hunt needs to know of a run. Pure. */
export function readRun(judged: JudgedRun): TriedPlan {
  const { run, verdict } = judged;
  const failed = verdict.word === 'fail';
  const unmet = verdict.expectations.filter(({ met, notJudged, level }) => !met && notJudged === undefined && !level);
  const texts = failed ? unmet.map(({ text }) => text) : [];
  return {
    word: verdict.word,
    unmet: texts,
    reasons: verdict.reasons,
    events: eventsIn(judged),
    strikesMs: new Map(run.faults.map(({ id, requestedMs }) => [id, requestedMs])),
    trace: traceFailure(judged, texts[0]),
  };
}

function eventsIn({ run }: JudgedRun): OkEvent[] {
  const events: OkEvent[] = [];
  for (const { user, kind, plannedMs, doneMs: atMs, backend, renewed, outcome } of run.operations)
    if (outcome === 'ok') events.push({ atMs, user, kind, plannedMs, backend, isRenewal: renewed === true });
  return events;
}

function traceFailure({ findings }: JudgedRun, expectation: string | undefined): FailureTrace {
  if (expectation === undefined) return { users: [], faults: [] };
  const kind = kindsOf.find(([metrics]) => metrics.test(expectation))?.[1];
  const incidents = findings.incidents.filter(incident => incident.kind === kind);
  return {
    users: [...new Set(incidents.map(({ user }) => user))],
    faults: [...new Set(incidents.flatMap(({ candidates = [] }) => candidates))],
  };
}
