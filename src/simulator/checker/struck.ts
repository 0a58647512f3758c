import { endsOf } from '../cluster/targets.js';
import type { FaultRecord, Operation, RunRecord } from '../history/records.js';

/** Whether an operation got any answer, including an error. */
export function wasAnswered({ status, outcome }: Operation): boolean {
  return status !== undefined || outcome === 'ok';
}

/**
 * Returns a function that says whether an operation went through what the fault struck: its backend, or its proxy when
 * there are several. Every operation goes through a store, the only proxy and the key ring, because it depends on them.
 */
export function wentThrough(
  { target, struck }: Pick<FaultRecord, 'target' | 'struck'>,
  run: RunRecord,
): (operation: Operation) => boolean {
  // An answer that names no member may have come from it.
  if (struck !== undefined) return ({ backend }) => backend === undefined || backend === struck;
  const [from, to] = endsOf(target) ?? [target, target];
  const proxies = namesOf(run, 'proxy');
  const isBackend = (name: string) => /^backend-\d+$/.test(name) || namesOf(run, 'backend').includes(name);
  if (isBackend(to)) {
    const isOneOfSeveral = from !== to && proxies.length > 1;
    return ({ backend, proxy }) => backend === to && (!isOneOfSeveral || proxy === from);
  }
  if (isBackend(from)) return ({ backend }) => backend === from;
  return proxies.length > 1 && proxies.includes(target) ? ({ proxy }) => proxy === target : () => true;
}

export function namesOf({ header }: RunRecord, role: 'backend' | 'proxy' | 'store'): readonly string[] {
  return (header.system?.members ?? []).filter(member => member.role === role).map(({ name }) => name);
}

/** The part of the run in which a fault must show its effect. */
export interface Between {
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * Returns the time from the confirmation to the start of the healing. For a store it ends when the store answers again.
 * For a fault that restarts a process by itself, as `flap` does, it ends at the first start. Undefined when the fault
 * was never confirmed.
 */
export function betweenOf(fault: FaultRecord, { members }: RunRecord): Between | undefined {
  const { confirmedMs, healedMs, struck = fault.target, expects } = fault;
  if (confirmedMs === null) return undefined;
  const healingMs = (expects?.kind === 'asked' ? undefined : fault.healRequestedMs) ?? healedMs;
  const untilMs = healingMs ?? Number.POSITIVE_INFINITY;
  if (expects?.kind !== 'silent' || !expects.whileDown) return { fromMs: confirmedMs, untilMs };
  const started = members.find(({ member, state, atMs }) => member === struck && state === 'up' && atMs > confirmedMs);
  return { fromMs: confirmedMs, untilMs: Math.min(untilMs, started?.atMs ?? untilMs) };
}
