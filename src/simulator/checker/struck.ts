import { endsOf } from '../cluster/targets.js';
import type { FaultRecord, Operation, RunRecord } from '../history/records.js';

/** Whether an operation was answered at all, with an error too. */
export function wasAnswered({ status, outcome }: Operation): boolean {
  return status !== undefined || outcome === 'ok';
}

/**
 * Returns whether an operation went through what the fault struck: the backend that answered it, or the proxy where there
 * are several. What every operation depends on (a store, the only proxy, the key ring) every operation goes through.
 */
export function wentThrough(
  { target }: Pick<FaultRecord, 'target'>,
  run: RunRecord,
): (operation: Operation) => boolean {
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

/** The time in which a fault must show its effect. */
export interface Between {
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * Returns the time from the confirmation to the start of the healing; of a store until it answers again. A fault that starts a process
 * again by itself, as `flap` does, counts until the first start. Undefined for a fault that was never confirmed.
 */
export function betweenOf(fault: FaultRecord, { members }: RunRecord): Between | undefined {
  const { confirmedMs, healedMs, target, expects } = fault;
  if (confirmedMs === null) return undefined;
  const healingMs = (expects?.kind === 'asked' ? undefined : fault.healRequestedMs) ?? healedMs;
  const untilMs = healingMs ?? Number.POSITIVE_INFINITY;
  if (expects?.kind !== 'silent' || !expects.whileDown) return { fromMs: confirmedMs, untilMs };
  const started = members.find(({ member, state, atMs }) => member === target && state === 'up' && atMs > confirmedMs);
  return { fromMs: confirmedMs, untilMs: Math.min(untilMs, started?.atMs ?? untilMs) };
}
