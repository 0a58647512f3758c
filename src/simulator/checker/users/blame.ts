import { endsOf } from '../../cluster/targets.js';
import type { FaultRecord, Operation, RunRecord, SystemRecord } from '../../history/records.js';
import type { Incident } from '../findings.js';
import type { Span } from '../verdict/windows.js';

/**
 * Names the faults that can explain the incidents of one user, by path and time. A candidate is a fault that struck
 * something that the data depended on. It was active between the acknowledgement and the first sign of the problem:
 *
 *     acknowledged ------------------------- seen
 *          |----- cut -----|                            candidate
 *     |- cut -| healed                                  none: it was over
 *                      |--- kill of another backend ---| none: not on the path
 *
 * A new version of all backends is a candidate only if two processes answered the user in that time. A single candidate
 * is blamed. Several candidates are all named. Without any, the incident stays unexplained.
 */
export function addCandidates(
  incidents: readonly Incident[],
  operations: readonly Operation[],
  { faults, header }: RunRecord,
): Incident[] {
  const logouts = new Map(incidents.filter(isHardLogout).map(({ session, sinceMs }) => [session, sinceMs]));
  const answering = rememberLast(span => backendsIn(span, operations));
  const hasMoved = rememberLast(span => isAnsweredByTwo(span, operations));
  return incidents.map(incident => {
    // A write that was lost with its session depended on the session from the login on.
    const sinceMs =
      incident.kind === 'lost'
        ? Math.min(incident.sinceMs, logouts.get(incident.session) ?? Infinity)
        : incident.sinceMs;
    const span = { fromMs: sinceMs, untilMs: incident.seenMs };
    const active = faults.filter(fault => wasActive(fault, span));
    const backends = active.length > 0 ? backendsOnPath(incident, () => answering(span), header.system) : undefined;
    const isCandidate = (fault: FaultRecord) =>
      fault.target === 'backends' ? hasMoved(span) : isOnPath(fault, backends, header.system);
    const candidates = active.filter(isCandidate).map(({ id }) => id);
    const [only, ...others] = candidates;
    return { ...incident, candidates, ...(only !== undefined && others.length === 0 && { fault: only }) };
  });
}

/** Writes that are lost together have the same span: it is looked at once for all of them. */
function rememberLast<Value>(compute: (span: Span) => Value): (span: Span) => Value {
  let last: { readonly span: Span; readonly value: Value } | undefined;
  return span => {
    if (last?.span.fromMs !== span.fromMs || last.span.untilMs !== span.untilMs) last = { span, value: compute(span) };
    return last.value;
  };
}

function isHardLogout({ kind, loggedOut }: Incident): boolean {
  return kind === 'logged-out' && loggedOut === 'hard';
}

function wasActive({ confirmedMs, requestedMs, healedMs }: FaultRecord, { fromMs, untilMs }: Span): boolean {
  return confirmedMs !== null && requestedMs <= untilMs && (healedMs ?? Number.POSITIVE_INFINITY) >= fromMs;
}

/**
 * Returns the backends that the session went through. Data in the memory of backends depends on the one that
 * acknowledged it and the one that missed it. Data in a store or a browser passes through every backend that answers
 * the user. Undefined when the answers name no backend: any backend is then possible.
 */
function backendsOnPath(
  { ackBackend, seenBackend }: Incident,
  answering: () => readonly string[],
  system: SystemRecord | undefined,
): ReadonlySet<string> | undefined {
  if (ackBackend === undefined || seenBackend === undefined) return undefined;
  return new Set([ackBackend, seenBackend, ...(system?.keeps === 'backend' ? [] : answering())]);
}

/** Returns the backends that answered within the span. */
function backendsIn({ fromMs, untilMs }: Span, operations: readonly Operation[]): readonly string[] {
  const backends = new Set<string>();
  for (const { backend, sentMs, doneMs } of operations)
    if (backend !== undefined && doneMs >= fromMs && sentMs <= untilMs) backends.add(backend);
  return [...backends];
}

/** Whether two processes answered within the span. True when no answer names its process: then it is unknown. */
function isAnsweredByTwo({ fromMs, untilMs }: Span, operations: readonly Operation[]): boolean {
  const processes = new Set<string | undefined>();
  for (const { incarnation, sentMs, doneMs } of operations)
    if (incarnation !== undefined && doneMs >= fromMs && sentMs <= untilMs) processes.add(incarnation);
  return processes.size !== 1;
}

/** Whether the session depended on the target. If the history does not describe the system, the session counts
 * as dependent on everything. */
function isOnPath(
  { target, struck }: FaultRecord,
  backends: ReadonlySet<string> | undefined,
  system: SystemRecord | undefined,
): boolean {
  if (system === undefined || target === 'system') return true;
  if (struck !== undefined) return backends === undefined || backends.has(struck);
  if (target === 'secrets') return system.keeps === 'browser';
  return (endsOf(target) ?? [target]).every(end => isMemberOnPath(end, backends, system));
}

function isMemberOnPath(name: string, backends: ReadonlySet<string> | undefined, system: SystemRecord): boolean {
  const role = system.members.find(member => member.name === name)?.role;
  if (role === 'backend') return backends === undefined || backends.has(name);
  // The proxy keeps the binding of a browser. Only sessions in the memory of one backend depend on that binding.
  if (role === 'proxy' || /^proxy(-\d+)?$/.test(name)) return system.affinity;
  return system.stores.includes(name.split('.')[0] ?? name);
}
