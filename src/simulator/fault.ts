import type { Cluster } from './cluster/cluster.js';

/** One thing that breaks. Implementations: `faults/registry.ts`. Unconfirmed means the run is inconclusive. */
export interface Fault {
  /** Breaks it. Returns as soon as it is done, without looking whether it worked. */
  inject(cluster: Cluster): Promise<void>;
  /** Looks at the system itself, not at what `inject` did: true when it is broken as intended. Bounded in time. */
  confirm(cluster: Cluster): Promise<boolean>;
  /** Undoes it and waits until the system has it back; rejects when it does not come back in time. Idempotent, and
   * safe when `inject` never ran or failed half-way. */
  heal(cluster: Cluster): Promise<void>;
}

export type FaultTarget = 'backend' | 'store' | 'secrets';

export interface FaultEntry {
  /** One line for `--help` and the README. */
  readonly summary: string;
  /** What it can strike: kinds of members, or the key ring that all backends share. */
  readonly targets: readonly FaultTarget[];
  make(target: string): Fault;
}
