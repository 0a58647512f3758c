import { endsOf, kindOf, membersIn } from '../simulator/cluster/targets.js';
import type { FaultSpec } from '../simulator/scenario/scenario.js';
import type { HuntedPlan, OkEvent, TriedPlan } from './hunted-plan.js';

/** Aims the faults of a plan that failed at the requests of its run, so that it fails again. */

/** How many users that lost something are each tried alone. */
const aloneMax = 2;
/** How many faults, and how many renewals for each, are aimed at again. */
const againMax = 2;
/** The time within which a renewal is taken for the cause of what follows. */
const renewalWithinMs = 1_000;

/**
 * Lists plans that may fail each time as the drawn plan failed once. A time does not hit the same moment twice, so each
 * fault strikes after the event that preceded it. The plans that leave out most come first: one user alone with the
 * fault that the checker blames. The drawn plan itself is the last. Pure.
 */
export function listStarts(plan: HuntedPlan, found: TriedPlan): HuntedPlan[] {
  const { trace, events } = found;
  const blamed = plan.faults.filter(({ id }) => trace.faults.includes(id));
  const faults = blamed.length > 0 ? blamed : plan.faults;
  const alone = trace.users.slice(0, aloneMax).flatMap(name => {
    const users = plan.users.filter(user => user.name === name);
    const own = events.filter(({ user }) => user === name);
    return aimAll({ ...plan, users, faults }, { ...found, events: own });
  });
  const all = [...alone, ...aimAll({ ...plan, faults }, found), ...aimAll(plan, found), plan];
  return [...new Map(all.map(each => [JSON.stringify(each), each])).values()];
}

/**
 * Lists plans with a single fault right after a request of the run in which the plan passed. A fault can have hit a
 * request before its answer, and that request is no event of the failed run. Renewals of sessions come first, and those
 * near to the strike. Pure.
 */
export function aimAgain(plan: HuntedPlan, { events, strikesMs }: TriedPlan): HuntedPlan[] {
  return plan.faults.slice(0, againMax).flatMap(fault => {
    const struckMs = strikesMs.get(fault.id) ?? 0;
    const distance = (index: number) => Math.abs((events[index]?.atMs ?? 0) - struckMs);
    const near = [...events.keys()].sort((a, b) => distance(a) - distance(b));
    const renewals = near.filter(index => events[index]?.isRenewal).slice(0, againMax);
    const [other] = near.filter(index => !events[index]?.isRenewal);
    return [...renewals, ...(other === undefined ? [] : [other])].map(index => {
      const backend = events[index]?.backend;
      const target = backend === undefined ? fault.target : moveTarget(fault.target, backend);
      return { ...plan, faults: [{ ...fault, target, trigger: triggerAfter(events, index, 0) }] };
    });
  });
}

/**
 * Returns the plan with each fault on the backend that answered last before it struck, if the fault hit that backend in
 * `model`, the run that failed. With other users the requests reach other backends. Undefined when nothing changes.
 * Pure.
 */
export function correctTargets(
  plan: HuntedPlan,
  tried: TriedPlan,
  model: TriedPlan,
  failed: HuntedPlan,
): HuntedPlan | undefined {
  const faults = plan.faults.map(fault => {
    const before = failed.faults.find(({ id }) => id === fault.id);
    const own = model.events.filter(({ user }) => model.trace.users.length === 0 || model.trace.users.includes(user));
    const aimed = before && backendBefore(own, model.strikesMs.get(fault.id));
    const answering = backendBefore(tried.events, tried.strikesMs.get(fault.id));
    if (aimed === undefined || answering === undefined || backendIn(before?.target) !== aimed) return fault;
    return { ...fault, target: moveTarget(fault.target, answering) };
  });
  const isChanged = faults.some(({ target }, index) => target !== plan.faults[index]?.target);
  return isChanged ? { ...plan, faults } : undefined;
}

/** Returns the trigger that strikes a time after this event: it counts renewals, or else requests. Pure. */
export function triggerAfter(events: readonly OkEvent[], index: number, delayMs: number): FaultSpec['trigger'] {
  const until = events.slice(0, index + 1);
  const delay = delayMs > 0 ? { delayMs } : {};
  if (!events[index]?.isRenewal) return { counter: 'requests.ok', atLeast: until.length, ...delay };
  return { counter: 'sessions.renewed', atLeast: until.filter(({ isRenewal }) => isRenewal).length, ...delay };
}

/** Returns triggers that strike at the same moment of the same run: by the latest renewal, and by the latest request. */
export function listEventTriggers(events: readonly OkEvent[], struckMs: number): FaultSpec['trigger'][] {
  const before = events.filter(({ atMs }) => atMs <= struckMs);
  const renewals = before.filter(({ isRenewal }) => isRenewal);
  const [request, renewal] = [before.at(-1), renewals.at(-1)];
  const delay = (event: OkEvent) => {
    const delayMs = Math.floor(struckMs - event.atMs);
    return delayMs > 0 ? { delayMs } : {};
  };
  return [
    ...(renewal !== undefined && struckMs - renewal.atMs < renewalWithinMs
      ? [{ counter: 'sessions.renewed' as const, atLeast: renewals.length, ...delay(renewal) }]
      : []),
    ...(request === undefined ? [] : [{ counter: 'requests.ok' as const, atLeast: before.length, ...delay(request) }]),
  ];
}

/** Returns the plan with each fault at the latest renewal before it, and with each fault at the latest request. */
function aimAll(plan: HuntedPlan, { events, strikesMs }: TriedPlan): HuntedPlan[] {
  const aim = (choose: (triggers: FaultSpec['trigger'][]) => FaultSpec['trigger'] | undefined): HuntedPlan => {
    const faults = plan.faults.map(fault => {
      const struckMs = strikesMs.get(fault.id);
      const trigger = struckMs === undefined ? undefined : choose(listEventTriggers(events, struckMs));
      return trigger === undefined ? fault : { ...fault, trigger };
    });
    return { ...plan, faults };
  };
  return [aim(([first]) => first), aim(triggers => triggers.at(-1))];
}

function backendBefore(events: readonly OkEvent[], struckMs: number | undefined): string | undefined {
  if (struckMs === undefined) return undefined;
  return events.findLast(({ atMs }) => atMs <= struckMs)?.backend;
}

function backendIn(target = ''): string | undefined {
  return membersIn(target).find(member => kindOf(member) === 'backend');
}

function moveTarget(target: string, backend: string): string {
  const ends = endsOf(target) ?? [target];
  return ends.map(end => (kindOf(end) === 'backend' ? backend : end)).join('->');
}
