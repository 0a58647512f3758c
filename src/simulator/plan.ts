import type { OperationKind } from './history.js';
import type { FaultSpec } from './scenario.js';

/**
 * Everything that chance decides, decided before the run: the same scenario and seed give the same plan, to the byte.
 * It fixes what users want and when, and what breaks when; not how requests interleave in the servers.
 */
export interface Plan {
  readonly scenario: string;
  readonly seed: number;
  readonly users: readonly PlannedUser[];
  /** Targets resolved: no `backend-any` is left. */
  readonly faults: readonly FaultSpec[];
}

export interface PlannedUser {
  readonly name: string;
  /** In the order of `atMs`; the first is a login. Milliseconds since the start of the run. */
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStep {
  readonly atMs: number;
  readonly kind: Exclude<OperationKind, 'replay'>;
  readonly token?: string;
}
