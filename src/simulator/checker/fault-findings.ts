import { endsOf } from '../cluster/targets.js';
import type { FaultRecord, Operation, RunRecord, SystemRecord } from '../history/records.js';
import { type EffectWatch, watchEffect } from './effects.js';
import type { FaultFinding, Incident, MemberFindings, NestedCounts } from './findings.js';
import type { Band, Span } from './load.js';
import type { FaultGroup, Recovery } from './recovery.js';
import {
  countSentBefore,
  firstSentMs,
  longestOf,
  namesOf,
  UserOperations,
  wasAnswered,
  wentThrough,
} from './users/operations.js';

/** The findings of each fault: the users that it exposed, its effect, what became of the members, and the incidents
 * that it can explain. */

interface WatchedFault {
  readonly fault: FaultRecord;
  readonly effect: EffectWatch | undefined;
  readonly counts: { exposed: number; readonly effect: NestedCounts };
}

/** Counts, user by user, the users that each fault exposed and the operations that show its effect. */
export class FaultWatch {
  /** Keyed by the index of the fault in the run. */
  readonly counts: NestedCounts;
  readonly #watched: readonly WatchedFault[];

  constructor(run: RunRecord, band: Band) {
    this.#watched = run.faults.map(fault => {
      const effect = watchEffect(fault, run, band);
      return {
        fault,
        effect,
        counts: { exposed: 0, effect: effect?.counts ?? {} },
      };
    });
    this.counts = Object.fromEntries(this.#watched.map(({ counts }, i) => [i, counts]));
  }

  /** Takes the operations of one user, in sending order, and the faults that exposed it (`ExposureWatch`). */
  see(operations: readonly Operation[], exposedBy: readonly FaultRecord[]): void {
    const user = new UserOperations(operations);
    for (const { fault, effect, counts } of this.#watched) {
      effect?.see(user);
      if (exposedBy.includes(fault)) counts.exposed += 1;
    }
  }

  /** Returns one finding for each fault. `recoveries[i]` belongs to `groups[i]`. */
  findings(groups: readonly FaultGroup[], recoveries: readonly Recovery[]): FaultFinding[] {
    return this.#watched.map(({ fault, effect, counts: { exposed } }) => {
      const own = recoveries[groups.findIndex(({ faults }) => faults.includes(fault))];
      const { recoveryMs, recovery } = own ?? { recoveryMs: null, recovery: 'none' as const };
      return { id: fault.id, effect: effect?.result() ?? null, exposed, recoveryMs, recovery };
    });
  }
}

interface Exposure {
  readonly fault: FaultRecord;
  readonly healingMs: number;
  readonly isThrough: (operation: Operation) => boolean;
}

/**
 * Finds the faults that exposed a user. A fault exposes a user if the struck member gave the user's last answer before
 * it, or answered the user during it.
 */
export class ExposureWatch {
  readonly #exposures: readonly Exposure[];

  constructor(run: RunRecord) {
    this.#exposures = run.faults.map(fault => ({
      fault,
      healingMs: fault.healRequestedMs ?? fault.healedMs ?? Number.POSITIVE_INFINITY,
      isThrough: wentThrough(fault, run),
    }));
  }

  /** Takes the operations of one user, in sending order. `longestMs`: no operation lasted longer. */
  exposedBy(operations: readonly Operation[], longestMs = longestOf(operations)): FaultRecord[] {
    return this.#exposures.filter(one => isExposed(one, operations, longestMs)).map(({ fault }) => fault);
  }
}

/** Looks only at the operations around the fault: in a long run a user has far more of them. */
function isExposed({ fault, healingMs, isThrough }: Exposure, operations: readonly Operation[], longestMs: number) {
  const { requestedMs } = fault;
  // All earlier operations ended before the fault.
  const first = countSentBefore(firstSentMs(requestedMs, longestMs), operations);
  let before: Operation | undefined;
  for (let i = first; i < operations.length; i += 1) {
    const operation = operations[i];
    if (operation === undefined || operation.sentMs > healingMs) break;
    if (!wasAnswered(operation)) continue;
    if (operation.doneMs < requestedMs) before = operation;
    else if (operation.doneMs <= healingMs && isThrough(operation)) return true;
  }
  before ??= findLastAnswered(operations, first);
  return before !== undefined && isThrough(before);
}

/** Returns the last of the first `count` operations that got an answer. */
function findLastAnswered(operations: readonly Operation[], count: number): Operation | undefined {
  for (let i = count - 1; i >= 0; i -= 1) {
    const operation = operations[i];
    if (operation !== undefined && wasAnswered(operation)) return operation;
  }
  return undefined;
}

/** Counts good answers by member, and finds the members that are ejected, idle or not back at the end. */
export class MemberWatch {
  readonly counts = {
    answered: new Map<string, number>(),
    versions: new Map<string, number>(),
    answeredAfter: new Set<string>(),
    freeArrivals: 0,
  };
  readonly #run: RunRecord;
  readonly #lastHealedMs: number;
  readonly #hasAffinity: boolean;

  constructor(run: RunRecord) {
    this.#run = run;
    this.#lastHealedMs = Math.max(...run.faults.map(({ healedMs }) => healedMs ?? Number.POSITIVE_INFINITY), 0);
    this.#hasAffinity = run.header.system?.affinity ?? true;
    const proxies = namesOf(run, 'proxy');
    // Operations name a proxy only when there are several: a single proxy answers everything.
    for (const name of [...namesOf(run, 'backend'), ...(proxies.length > 1 ? proxies : [])])
      this.counts.answered.set(name, 0);
  }

  /** Takes the operations of one user, in sending order. */
  see(operations: readonly Operation[]): void {
    let isBound = false;
    for (const operation of operations) {
      if (operation.outcome !== 'ok') continue;
      const isAfter = operation.sentMs >= this.#lastHealedMs;
      const { backend, proxy, version } = operation;
      if (version !== undefined) this.counts.versions.set(version, (this.counts.versions.get(version) ?? 0) + 1);
      if (backend !== undefined) this.#note(backend, isAfter);
      if (proxy !== undefined) this.#note(proxy, isAfter);
      if (isAfter && !isBound && !operation.final) this.counts.freeArrivals += 1;
      isBound = this.#hasAffinity;
    }
  }

  result(): MemberFindings {
    const { faults, members } = this.#run;
    const last = new Map(members.map(({ member, state }) => [member, state]));
    const backends = namesOf(this.#run, 'backend');
    return {
      answered: Object.fromEntries(this.counts.answered),
      ejectedAtEnd: backends.filter(name => last.get(name) === 'ejected'),
      ...(this.#run.header.system?.ejectionsUnseen && { ejectionsUnseen: true }),
      idleAfterHealing: backends.filter(name => this.#isIdle(name, last.get(name))),
      notBack: [...new Set(faults.flatMap(({ notBack = [] }) => notBack.map(({ member }) => member)))],
    };
  }

  /** Returns the number of good answers by version. */
  versions(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.counts.versions].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  #note(member: string, isAfter: boolean): void {
    this.counts.answered.set(member, (this.counts.answered.get(member) ?? 0) + 1);
    if (isAfter) this.counts.answeredAfter.add(member);
  }

  /** Whether a healed backend runs and answered no request, although enough users arrived that it could have served.
   * False when no answer of the run names a backend. */
  #isIdle(name: string, state: string | undefined): boolean {
    const wasHealed = ({ target, struck = target, healedMs }: FaultRecord) =>
      healedMs !== null && (target === 'backends' || (endsOf(target) ?? [struck]).includes(name));
    const backends = namesOf(this.#run, 'backend');
    if (!backends.some(one => this.counts.answered.get(one))) return false;
    const couldServe = this.counts.freeArrivals >= 2 * backends.length;
    return state === 'up' && couldServe && !this.counts.answeredAfter.has(name) && this.#run.faults.some(wasHealed);
  }
}

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
