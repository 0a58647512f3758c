import { endsOf, kindOf, membersIn } from '../simulator/cluster/targets.js';
import type { FaultSpec } from '../simulator/scenario/scenario.js';
import type { HuntedPlan, OkEvent, TriedPlan } from './hunted-plan.js';
import { eventTriggers } from './simpler.js';

/** How many users that lost something are each tried alone. */
const aloneMax = 2;

/**
 * Lists plans that may fail each time as the drawn plan failed once. A time does not hit the same moment twice, so each
 * fault strikes after the event that preceded it. The boldest come first: one user alone with the fault that the checker
 * blames. The drawn plan itself is the last. Pure.
 */
export function listStarts(plan: HuntedPlan, found: TriedPlan): HuntedPlan[] {
  const { culprits, events } = found;
  const blamed = plan.faults.filter(({ id }) => culprits.faults.includes(id));
  const faults = blamed.length > 0 ? blamed : plan.faults;
  const alone = culprits.users.slice(0, aloneMax).flatMap(name => {
    const users = plan.users.filter(user => user.name === name);
    const own = events.filter(({ user }) => user === name);
    return aimAll({ ...plan, users, faults }, { ...found, events: own });
  });
  const all = [...alone, ...aimAll({ ...plan, faults }, found), ...aimAll(plan, found), plan];
  return [...new Map(all.map(each => [JSON.stringify(each), each])).values()];
}

/** Returns the plan with each fault at the latest renewal before it, and with each fault at the latest request. */
function aimAll(plan: HuntedPlan, { events, strikesMs }: TriedPlan): HuntedPlan[] {
  const aim = (choose: (triggers: FaultSpec['trigger'][]) => FaultSpec['trigger'] | undefined): HuntedPlan => {
    const faults = plan.faults.map(fault => {
      const struckMs = strikesMs.get(fault.id);
      const trigger = struckMs === undefined ? undefined : choose(eventTriggers(events, struckMs));
      return trigger === undefined ? fault : { ...fault, trigger };
    });
    return { ...plan, faults };
  };
  return [aim(([first]) => first), aim(triggers => triggers.at(-1))];
}

/**
 * Returns the plan with each fault on the backend that answered last before it struck, if the fault hit that backend in
 * `model`, the run that failed. With other users the requests reach other backends. Undefined when nothing changes. Pure.
 */
export function correctTargets(
  plan: HuntedPlan,
  tried: TriedPlan,
  model: TriedPlan,
  failed: HuntedPlan,
): HuntedPlan | undefined {
  const faults = plan.faults.map(fault => {
    const before = failed.faults.find(({ id }) => id === fault.id);
    const own = model.events.filter(
      ({ user }) => model.culprits.users.length === 0 || model.culprits.users.includes(user),
    );
    const aimed = before && backendBefore(own, model.strikesMs.get(fault.id));
    const answering = backendBefore(tried.events, tried.strikesMs.get(fault.id));
    if (aimed === undefined || answering === undefined || backendIn(before?.target) !== aimed) return fault;
    return { ...fault, target: moveTarget(fault.target, answering) };
  });
  const isChanged = faults.some(({ target }, index) => target !== plan.faults[index]?.target);
  return isChanged ? { ...plan, faults } : undefined;
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
