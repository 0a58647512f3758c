import { unknownName } from '../../../shared/unknown-name.js';
import { faults as registry } from '../../faults/kinds/registry.js';
import { phaseNames } from '../../history/records.js';
import { type FaultInFile, scenarioParts } from '../schema.js';
import { field, isMap, listIn, type Problem, read } from '../yaml.js';

/** Finds faults with an ambiguous id, no single trigger, a wait for a later fault, or too little time in the phase. */
export function triggerProblems(file: unknown): Problem[] {
  const faults = listIn(file, 'faults');
  return [
    ...faults.flatMap((fault, index) => [
      ...idProblems(faults, fault, index),
      ...triggerCountProblems(fault, index),
      ...waitingProblems(faults, fault, index),
      ...beyondProblems(file, fault, index),
    ]),
    ...timeProblems(file, faults),
  ];
}

function idsBefore(faults: readonly unknown[], index: number): unknown[] {
  return faults.slice(0, index).map(other => field(other, 'id'));
}

function idProblems(faults: readonly unknown[], fault: unknown, index: number): Problem[] {
  const id = field(fault, 'id');
  const path = ['faults', index, 'id'];
  if (id !== undefined && idsBefore(faults, index).includes(id)) {
    return [{ path, message: `found the id "${id}" a second time, expected each id once` }];
  }
  if (!phaseNames.some(name => name === id)) return [];
  const message = `found the id "${id}", which is the name of a phase, expected another id: "during ${id}" would have two meanings`;
  return [{ path, message }];
}

function triggerCountProblems(fault: unknown, index: number): Problem[] {
  const found = ['at', 'after', 'when'].filter(key => field(fault, key) !== undefined).map(key => `"${key}"`);
  if (found.length === 1 || !isMap(fault)) return [];
  const what = found.length === 0 ? 'none of "at", "after" and "when"' : found.join(' and ');
  return [{ path: ['faults', index], message: `found ${what}, expected one of the three` }];
}

/** Finds faults that wait for a later one. Only earlier ones are allowed, so that no two faults wait for each other. */
function waitingProblems(faults: readonly unknown[], fault: unknown, index: number): Problem[] {
  const waitsFor = {
    after: read(scenarioParts.after, field(fault, 'after'))?.id,
    when: read(scenarioParts.when, field(fault, 'when'))?.sinceFault,
  };
  const earlier = idsBefore(faults, index);
  return Object.entries(waitsFor).flatMap(([key, id]) => {
    if (id === undefined || earlier.includes(id)) return [];
    return [{ path: ['faults', index, key], message: explainNoEarlierFault(id, earlier, key) }];
  });
}

/** Finds a wait for more users than ever arrive. Other counts cannot be checked before the run. */
function beyondProblems(file: unknown, fault: unknown, index: number): Problem[] {
  const when = read(scenarioParts.when, field(fault, 'when'));
  const most = read(scenarioParts.users.shape.arrivals, field(field(file, 'users'), 'arrivals'))?.['max-active'];
  if (when?.counter !== 'users.total' || most === undefined || when.atLeast <= most) return [];
  const message = `found ${when.atLeast} users, expected at most the ${most} that ever arrive: users.arrivals.max-active`;
  return [{ path: ['faults', index, 'when'], message }];
}

function explainNoEarlierFault(id: string, earlier: readonly unknown[], key: string): string {
  const ids = earlier.filter(other => typeof other === 'string');
  if (ids.length > 0) return unknownName('earlier fault', id, ids);
  const instead = key === 'after' ? 'write at: 0s' : `remove "since ${id}"`;
  return `found "${id}", expected the id of an earlier fault, but this is the first: ${instead}`;
}

/**
 * Finds faults that cannot fit into the faults phase. It computes the earliest possible times: how long injection,
 * confirmation and healing take is known only in the run. It treats a fault that waits for a count as immediate.
 */
function timeProblems(file: unknown, faults: readonly unknown[]): Problem[] {
  const phases = read(scenarioParts.phases, field(file, 'phases') ?? {});
  if (phases === undefined) return [];
  const earliest = new Map<string, Earliest>();
  return faults.flatMap((written, index) => {
    const fault = read(scenarioParts.fault, written);
    const startMs = fault === undefined ? undefined : earliestMs(fault, earliest);
    if (fault === undefined || startMs === undefined) return [];
    const forMs = fault.for ?? registry[fault.do]?.lengthMs?.(written);
    const endMs = startMs + (forMs ?? 0);
    earliest.set(fault.id, { startMs, endMs });
    if (endMs <= phases.faults) return [];
    return [problemOfTooLate({ ...fault, for: forMs }, index, startMs, phases.faults)];
  });
}

interface Earliest {
  readonly startMs: number;
  readonly endMs: number;
}

function earliestMs({ at, after, when }: FaultInFile, earliest: ReadonlyMap<string, Earliest>): number | undefined {
  if (at !== undefined) return at;
  if (when !== undefined) {
    const sinceMs = when.sinceFault === undefined ? 0 : earliest.get(when.sinceFault)?.startMs;
    return sinceMs === undefined ? undefined : sinceMs + (when.delayMs ?? 0);
  }
  const endMs = earliest.get(after?.id ?? '')?.endMs;
  return after === undefined || endMs === undefined ? undefined : endMs + after.delayMs;
}

function problemOfTooLate(fault: FaultInFile, index: number, startMs: number, phaseMs: number): Problem {
  const expected = `after the faults phase began at the earliest, expected at most ${phaseMs}ms: lengthen phases.faults or`;
  if (fault.for === undefined) {
    const key = ['at', 'after', 'when'].find(name => field(fault, name) !== undefined) ?? 'do';
    const message = `found a fault that strikes ${startMs}ms ${expected} let it strike sooner`;
    return { path: ['faults', index, key], message };
  }
  const message = `found a fault that heals ${startMs + fault.for}ms ${expected} shorten "for"`;
  return { path: ['faults', index, 'for'], message };
}
