import { kindOf, membersIn } from '../simulator/cluster/targets.js';
import { makePlan } from '../simulator/plan/plan.js';
import { drawExponential, pick, pickWeighted, type Random, randomStream } from '../simulator/plan/random.js';
import type { FaultSpec, Scenario } from '../simulator/scenario/scenario.js';
import { triggerAfter } from './aim.js';
import type { HuntedFault } from './goal.js';
import { dropLateSteps, faultsFromMs, type HuntedPlan, isPossible, type OkEvent } from './hunted-plan.js';

/** Phases of a try. They are as short as the scenario allows: a loss needs no long load, only a read after it. */
const warmupMs = 100;
const baselineMs = 700;
const faultsMsMin = 1_500;
const faultsMsMax = 3_500;
const recoveryMs = 700;
const quiesceMs = 200;
const usersMax = 20;
const faultsMax = 3;
const lengthMsMin = 100;
/** Load that goes on after the last fault. */
const calmMs = 100;
const triesToPlace = 8;

/** A freshly drawn try that showed nothing, with its requests. Later tries aim at the moments after them. */
export interface SeenTry {
  readonly plan: HuntedPlan;
  readonly events: readonly OkEvent[];
}

/**
 * Draws the plans of a hunt: a seed, one to three faults, and for each a moment, a target and a length. Half of the
 * moments are uniform. The others are shortly after a request, or shortly after another fault. Pure: the same seed,
 * number and earlier tries give the same plan.
 */
export class PlanDrawer {
  readonly #scenario: Scenario;
  readonly #seed: number;
  readonly #strikeable: readonly HuntedFault[];

  constructor(scenario: Scenario, strikeable: readonly HuntedFault[], seed: number) {
    this.#scenario = scenario;
    this.#strikeable = strikeable;
    this.#seed = seed;
  }

  /** `number`: of the try, from 1. `seen`: earlier tries, the newest last. */
  draw(number: number, seen: readonly SeenTry[]): HuntedPlan {
    const random = randomStream(this.#seed, `try/${number}`);
    const earlier = random() < 0.6 ? pick(random, seen) : undefined;
    const plan = earlier === undefined ? this.#drawUsers(random) : { ...earlier.plan, faults: [] };
    const faults = this.#drawFaults(random, plan, earlier?.events ?? []);
    return trim({ ...plan, faults });
  }

  #drawUsers(random: Random): HuntedPlan {
    const seed = Math.floor(random() * 2 ** 31);
    const short = shorten(this.#scenario);
    return { seed, users: makePlan(short, seed).users, phases: short.phases, faults: [] };
  }

  #drawFaults(random: Random, plan: HuntedPlan, events: readonly OkEvent[]): FaultSpec[] {
    const count = 1 + Math.floor(faultsMax * random());
    const faults: FaultSpec[] = [];
    const place = (moment: Moment): FaultSpec => {
      const struck = this.#drawTarget(random, moment.backend);
      return { id: `fault-${faults.length + 1}`, ...placeFault(random, struck, moment, plan) };
    };
    for (let tries = 0; faults.length < count && tries < triesToPlace; tries += 1) {
      const fault = place(drawMoment(random, plan, events, faults));
      const isFree = 'afterFault' in fault.trigger || !faults.some(other => collide(other.target, fault.target));
      if (isFree && isPossible({ ...plan, faults: [...faults, fault] })) faults.push(fault);
    }
    return faults.length > 0 ? faults : [place({ trigger: { atMs: 0 } })];
  }

  /** Prefers a target that involves the backend which answers at that moment. */
  #drawTarget(random: Random, backend: string | undefined): HuntedFault {
    const near = this.#strikeable.filter(({ target }) => backend !== undefined && membersIn(target).includes(backend));
    const found = (random() < 0.8 ? pick(random, near) : undefined) ?? pick(random, this.#strikeable);
    if (found === undefined) throw new Error('nothing can be struck');
    return found;
  }
}

/** Returns the scenario with few users and short phases. One with fixed users keeps its times. */
function shorten(scenario: Scenario): Scenario {
  const { phases, users } = scenario;
  if (users.plan !== undefined) return scenario;
  const { arrivals, names } = users;
  const shorter = {
    warmupMs: Math.min(warmupMs, phases.warmupMs),
    baselineMs: Math.min(baselineMs, phases.baselineMs),
    faultsMs: Math.min(faultsMsMax, Math.max(faultsMsMin, phases.faultsMs)),
    recoveryMs: Math.min(recoveryMs, phases.recoveryMs),
    quiesceMs: Math.min(quiesceMs, phases.quiesceMs),
  };
  const most = Math.min(usersMax, arrivals.maxActive, Array.isArray(names) ? names.length : usersMax);
  const forMs = shorter.warmupMs + shorter.baselineMs;
  const ratePerSecond = Math.max(arrivals.ratePerSecond, (1_000 * most) / Math.max(1, forMs));
  return {
    ...scenario,
    phases: shorter,
    users: { ...users, arrivals: { ...arrivals, forMs, ratePerSecond, maxActive: most } },
  };
}

/** When a fault strikes, and which backend answers then. */
interface Moment {
  readonly trigger: FaultSpec['trigger'];
  readonly backend?: string | undefined;
}

function drawMoment(
  random: Random,
  plan: HuntedPlan,
  events: readonly OkEvent[],
  others: readonly FaultSpec[],
): Moment {
  const kind = pickWeighted(random, [
    ['uniform', 50],
    ['request', 35],
    ['fault', others.length > 0 ? 15 : 0],
  ] as const);
  if (kind === 'fault') return drawAfterFault(random, plan, others);
  if (kind === 'request') return events.length > 0 ? drawAfterEvent(random, plan, events) : drawAtStep(random, plan);
  return { trigger: { atMs: Math.floor(random() * plan.phases.faultsMs) } };
}

function drawAfterFault(random: Random, { phases }: HuntedPlan, others: readonly FaultSpec[]): Moment {
  const other = pick(random, others);
  const delayMs = drawDelay(random, 100);
  if (other === undefined) return { trigger: { atMs: 0 } };
  const { trigger, forMs, id } = other;
  if ('atMs' in trigger && random() < 0.5)
    return { trigger: { atMs: Math.min(phases.faultsMs, trigger.atMs + delayMs) } };
  return forMs === undefined ? { trigger } : { trigger: { afterFault: id, delayMs } };
}

/** Aims shortly after a planned request. The plan does not say which backend will answer it. */
function drawAtStep(random: Random, plan: HuntedPlan): Moment {
  const fromMs = faultsFromMs(plan);
  const times = plan.users.flatMap(({ steps }) => steps.map(({ atMs }) => atMs - fromMs));
  const atMs =
    pick(
      random,
      times.filter(ms => ms >= 0 && ms < plan.phases.faultsMs),
    ) ?? 0;
  return { trigger: { atMs: atMs + drawDelay(random, 20) } };
}

/** Aims shortly after a request of an earlier run of the same plan. Renewals of sessions come first, then writes. */
function drawAfterEvent(random: Random, plan: HuntedPlan, events: readonly OkEvent[]): Moment {
  const fromMs = faultsFromMs(plan);
  const inPhase = [...events.keys()].filter(i => isWithin(events[i], fromMs, fromMs + plan.phases.faultsMs));
  const renewals = inPhase.filter(i => events[i]?.isRenewal);
  const writes = inPhase.filter(i => events[i]?.kind === 'add' || events[i]?.kind === 'login');
  const pool = pickWeighted(random, [
    [renewals, renewals.length > 0 ? 60 : 0],
    [writes, writes.length > 0 ? 25 : 0],
    [inPhase, 15],
  ] as const);
  const index = pick(random, pool ?? inPhase);
  if (index === undefined) return drawAtStep(random, plan);
  const delayMs = drawDelay(random, 20);
  return { trigger: triggerAfter(events, index, delayMs), backend: events[index]?.backend };
}

function isWithin(event: OkEvent | undefined, fromMs: number, untilMs: number): boolean {
  return event !== undefined && event.atMs >= fromMs && event.atMs < untilMs;
}

/** Draws zero, or a short time with this mean. */
function drawDelay(random: Random, meanMs: number): number {
  return random() < 0.3 ? 0 : Math.floor(Math.min(10 * meanMs, drawExponential(random, meanMs)));
}

/** Draws the length of the fault, and moves it so that it ends within its phase. */
function placeFault(
  random: Random,
  { forMs: usualMs, ...fault }: HuntedFault,
  { trigger }: Moment,
  { phases }: HuntedPlan,
): Omit<FaultSpec, 'id'> {
  if (usualMs === undefined) return { ...fault, trigger: moveInto(trigger, phases.faultsMs) };
  const longestMs = Math.max(lengthMsMin, Math.min(1.5 * usualMs, phases.faultsMs / 2));
  const drawnMs = Math.round(lengthMsMin * (longestMs / lengthMsMin) ** random());
  const forMs = Math.min(drawnMs, phases.faultsMs);
  return { ...fault, trigger: moveInto(trigger, phases.faultsMs - forMs), forMs };
}

function moveInto(trigger: FaultSpec['trigger'], latestMs: number): FaultSpec['trigger'] {
  return 'atMs' in trigger ? { atMs: Math.max(0, Math.min(trigger.atMs, latestMs)) } : trigger;
}

/** Whether two faults would depend on each other. Two links may end at the same proxy or store. */
function collide(one: string, other: string): boolean {
  const shared = membersIn(one).filter(member => membersIn(other).includes(member));
  const areLinks = kindOf(one) === 'link' && kindOf(other) === 'link';
  return one === other || shared.some(member => !areLinks || kindOf(member) === 'backend');
}

/** Ends the faults phase with its last fault, when the plan tells when that is. Steps after the end are left out. */
function trim(plan: HuntedPlan): HuntedPlan {
  const { phases, faults } = plan;
  const endsMs = faults.map(({ trigger, forMs }) =>
    'atMs' in trigger && forMs !== undefined ? trigger.atMs + forMs + calmMs : phases.faultsMs,
  );
  return dropLateSteps({ ...plan, phases: { ...phases, faultsMs: Math.min(phases.faultsMs, Math.max(...endsMs)) } });
}
