import type { FaultRecord, RunRecord, SystemRecord } from '../history/records.js';
import { endsOf } from '../targets.js';
import type { Incident } from './findings.js';

/**
 * Names the faults that can explain an incident, by path and time. A candidate struck something that the data depended
 * on, and was at work between the acknowledgement and the first sign that something is wrong:
 *
 *     acknowledged ------------------------- seen
 *          |----- cut -----|                            candidate
 *     |- cut -| healed                                  none: it was over
 *                      |--- kill of another backend ---| none: not on the path
 *
 * One candidate is blamed. Several are all named. None leaves the incident unexplained.
 */
export function withCandidates(incident: Incident, { faults, header }: RunRecord): Incident {
  if (faults.length === 0) return incident;
  const candidates = faults
    .filter(fault => wasAtWork(fault, incident) && isOnPath(fault.target, incident, header.system))
    .map(({ id }) => id);
  const [only, ...others] = candidates;
  return { ...incident, candidates, ...(only !== undefined && others.length === 0 && { fault: only }) };
}

function wasAtWork({ confirmedMs, requestedMs, healedMs }: FaultRecord, { sinceMs, seenMs }: Incident): boolean {
  return confirmedMs !== null && requestedMs <= seenMs && (healedMs ?? Number.POSITIVE_INFINITY) >= sinceMs;
}

/** Whether what was struck is among what the session depended on. Everything is, if the history does not describe the system. */
function isOnPath(target: string, incident: Incident, system: SystemRecord | undefined): boolean {
  if (system === undefined || target === 'system') return true;
  if (target === 'secrets') return system.keeps === 'browser';
  return (endsOf(target) ?? [target]).every(end => isMemberOnPath(end, incident, system));
}

function isMemberOnPath(name: string, { ackBackend, seenBackend }: Incident, system: SystemRecord): boolean {
  const role = system.members.find(member => member.name === name)?.role;
  if (role === 'backend') {
    // Where the answers name no backend, each of them can have been the one.
    return ackBackend === undefined || seenBackend === undefined || name === ackBackend || name === seenBackend;
  }
  // The proxy holds the binding of a browser, which only the memory of one backend depends on.
  if (role === 'proxy' || /^proxy(-\d+)?$/.test(name)) return system.affinity;
  return system.stores.includes(name.split('.')[0] ?? name);
}
