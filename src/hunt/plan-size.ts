import type { FaultSpec } from '../simulator/scenario/scenario.js';
import type { HuntedPlan } from './hunted-plan.js';

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

/** A count of renewals is plainer than one of requests, and that is plainer than a time: it does not depend on how fast
 * the machine is. */
function rankOf(trigger: FaultSpec['trigger']): number {
  if (!('counter' in trigger)) return 2;
  return trigger.counter === 'sessions.renewed' ? 0 : 1;
}

function numbersIn({ trigger, forMs = 0 }: FaultSpec, phaseMs: number): number {
  if ('atMs' in trigger) return phaseMs + trigger.atMs + forMs;
  return (trigger.delayMs ?? 0) + ('counter' in trigger ? trigger.atLeast : 0) + forMs;
}
