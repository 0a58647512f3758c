import type { FaultRecord } from '../history/records.js';
import type { Incident } from './findings.js';

/** How long after it was healed a fault still explains what a user sees: users think between two looks. */
const aftermathMs = 10_000;

/**
 * Names the fault that covers an incident: the latest that had struck when it was seen, and that was not healed long
 * before. Struck means requested, and confirmed later: a fault shows its effect before the lab has confirmed it.
 */
export function attributed(incident: Incident, faults: readonly FaultRecord[]): Incident {
  const covering = faults.filter(fault => covers(fault, incident.seenMs));
  const latest = covering.reduce<FaultRecord | undefined>(
    (best, fault) => (best === undefined || fault.requestedMs >= best.requestedMs ? fault : best),
    undefined,
  );
  return latest === undefined ? incident : { ...incident, fault: latest.id };
}

function covers({ requestedMs, confirmedMs, healedMs }: FaultRecord, seenMs: number): boolean {
  if (confirmedMs === null || requestedMs > seenMs) return false;
  return healedMs === null || seenMs <= healedMs + aftermathMs;
}
