import type { Cluster } from './cluster/cluster.js';
import { Interrupted, LabError } from './errors.js';
import type { Fault } from './fault.js';
import { faults as registry } from './faults/registry.js';
import type { FaultRecord } from './history/records.js';
import { interruptible } from './interruptible.js';
import type { LiveCounts, LiveCountsNow } from './live-counts.js';
import type { FaultEdge } from './progress.js';
import type { RunClock } from './run-clock.js';
import type { FaultSpec } from './scenario/scenario.js';
import { membersIn } from './targets.js';

export interface StrikeStage {
  readonly cluster: Cluster;
  readonly clock: RunClock;
  readonly counts: LiveCounts;
  /** Aborted: what is being broken is left to itself, so that it can be healed. */
  readonly signal: AbortSignal;
  onEdge(id: string, what: FaultEdge): void;
}

type Draft = { -readonly [key in keyof FaultRecord]: FaultRecord[key] };

/** One fault at work: broken, confirmed, healed. What goes wrong is in its record. */
export class Strike {
  readonly #fault: Fault;
  readonly #record: Draft;
  readonly #stage: StrikeStage;

  /** Requested now. Throws `LabError` when there is no such fault. */
  constructor({ id, do: action, target, options }: FaultSpec, stage: StrikeStage) {
    const fault = registry[action]?.make(target, options);
    if (fault === undefined) throw new LabError(`no fault "${action}"; there are ${Object.keys(registry).join(', ')}`);
    this.#fault = fault;
    this.#stage = stage;
    const requestedMs = stage.clock.now();
    this.#record = { type: 'fault', id, fault: action, target, requestedMs, confirmedMs: null, healedMs: null };
  }

  get record(): FaultRecord {
    return this.#record;
  }

  /** The counts of the moment in which it was confirmed broken, undefined when it was not. Never rejects. */
  async breaks(): Promise<LiveCountsNow | undefined> {
    const { cluster, clock, counts, signal, onEdge } = this.#stage;
    const record = this.#record;
    let confirmedAt: LiveCountsNow | undefined;
    try {
      const dead = deadIn(cluster, record.target);
      await interruptible(this.#fault.inject(cluster), signal);
      onEdge(record.id, 'injected');
      const seen = await interruptible(this.#fault.confirm(cluster), signal);
      if (seen !== false) {
        record.confirmedMs = clock.now();
        confirmedAt = counts.now();
      }
      if (typeof seen === 'string') record.evidence = seen;
      if (seen === false)
        record.problem = `${record.fault} of ${record.target} was not confirmed: ${dead ?? 'the system does not look broken that way'}`;
    } catch (error) {
      if (error instanceof Interrupted) return undefined;
      record.problem = `${record.fault} of ${record.target} could not be done: ${messageOf(error)}`;
    }
    onEdge(record.id, confirmedAt === undefined ? 'not-confirmed' : 'confirmed');
    return confirmedAt;
  }

  /** Rejects with `LabError` when a process did not boot again. */
  async heal(): Promise<void> {
    const { cluster, clock, onEdge } = this.#stage;
    const record = this.#record;
    try {
      await this.#fault.heal(cluster);
      record.healedMs = clock.now();
      onEdge(record.id, 'healed');
    } catch (error) {
      onEdge(record.id, 'not-healed');
      if (error instanceof LabError) throw error;
      record.problem = [record.problem, `not healed: ${messageOf(error)}`].filter(Boolean).join('; ');
    }
  }
}

/** Who was not there to be struck, in words. */
function deadIn({ members }: Cluster, target: string): string | undefined {
  const dead = membersIn(target).filter(name => members.some(one => one.name === name && one.pid === undefined));
  return dead.length === 0 ? undefined : `${dead.join(' and ')} was not running when it struck`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
