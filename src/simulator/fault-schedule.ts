import type { Cluster } from './cluster/cluster.js';
import { Interrupted, LabError } from './errors.js';
import type { Fault } from './fault.js';
import { faults as registry } from './faults/registry.js';
import type { FaultRecord } from './history.js';
import { interruptible } from './interruptible.js';
import type { FaultEdge } from './progress.js';
import type { RunClock } from './run-clock.js';
import type { FaultSpec } from './scenario.js';

export interface FaultStage {
  readonly cluster: Cluster;
  readonly clock: RunClock;
  /** When the faults phase began: `at` counts from here. */
  readonly startMs: number;
  /** Aborted: nothing new is broken, what is broken is healed at once. */
  readonly signal: AbortSignal;
  onEdge(id: string, what: FaultEdge): void;
}

type Draft = { -readonly [key in keyof FaultRecord]: FaultRecord[key] };

/**
 * Runs every fault by its trigger: inject, confirm, wait, heal. Resolves when all are over and healed, or could not be; what
 * went wrong is in the records and the run goes on. Rejects with `LabError` when a process did not boot again.
 */
export async function runFaults(specs: readonly FaultSpec[], stage: FaultStage): Promise<readonly FaultRecord[]> {
  const over = new Map<string, Promise<FaultRecord | undefined>>();
  const overOf = (spec: FaultSpec): Promise<FaultRecord | undefined> => {
    const known = over.get(spec.id) ?? whenTriggered(spec);
    over.set(spec.id, known);
    return known;
  };
  const whenTriggered = async (spec: FaultSpec): Promise<FaultRecord | undefined> => {
    await triggered(spec, specs, stage, overOf);
    return stage.signal.aborted ? undefined : strike(spec, stage);
  };
  // All of them end, also when one fails: none may be left broken.
  const results = await Promise.allSettled(specs.map(overOf));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  const records = results.flatMap(result => (result.status === 'fulfilled' && result.value ? [result.value] : []));
  return records.sort((a, b) => a.requestedMs - b.requestedMs);
}

async function triggered(
  { id, trigger }: FaultSpec,
  specs: readonly FaultSpec[],
  { clock, startMs }: FaultStage,
  overOf: (spec: FaultSpec) => Promise<unknown>,
): Promise<void> {
  if ('atMs' in trigger) return clock.until(startMs + trigger.atMs);
  const before = specs.find(spec => spec.id === trigger.afterFault);
  if (before === undefined) throw new LabError(`fault ${id} comes after "${trigger.afterFault}", which is no fault`);
  await overOf(before).catch(() => undefined);
  return clock.until(clock.now() + trigger.delayMs);
}

async function strike(spec: FaultSpec, stage: FaultStage): Promise<FaultRecord> {
  const { clock } = stage;
  const fault = registry[spec.do]?.make(spec.target, spec.options);
  if (fault === undefined) throw new LabError(`no fault "${spec.do}"; there are ${Object.keys(registry).join(', ')}`);
  const record: Draft = {
    type: 'fault',
    id: spec.id,
    fault: spec.do,
    target: spec.target,
    requestedMs: clock.now(),
    confirmedMs: null,
    healedMs: null,
  };
  try {
    if (await breaks(fault, record, stage)) await clock.until(clock.now() + spec.forMs);
  } finally {
    await heal(fault, record, stage);
  }
  return record;
}

/** Whether it is confirmed broken; why not is noted in the record. */
async function breaks(fault: Fault, record: Draft, { cluster, clock, signal, onEdge }: FaultStage): Promise<boolean> {
  try {
    await interruptible(fault.inject(cluster), signal);
    onEdge(record.id, 'injected');
    const seen = await interruptible(fault.confirm(cluster), signal);
    if (seen !== false) record.confirmedMs = clock.now();
    if (typeof seen === 'string') record.evidence = seen;
    if (seen === false)
      record.problem = `${record.fault} of ${record.target} was not confirmed: the system does not look broken that way`;
  } catch (error) {
    if (error instanceof Interrupted) return false;
    record.problem = `${record.fault} of ${record.target} could not be done: ${messageOf(error)}`;
  }
  onEdge(record.id, record.confirmedMs === null ? 'not-confirmed' : 'confirmed');
  return record.confirmedMs !== null;
}

async function heal(fault: Fault, record: Draft, { cluster, clock, onEdge }: FaultStage): Promise<void> {
  try {
    await fault.heal(cluster);
    record.healedMs = clock.now();
    onEdge(record.id, 'healed');
  } catch (error) {
    onEdge(record.id, 'not-healed');
    if (error instanceof LabError) throw error;
    record.problem = [record.problem, `not healed: ${messageOf(error)}`].filter(Boolean).join('; ');
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
