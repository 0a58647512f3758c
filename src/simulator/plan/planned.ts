import type { OperationKind } from '../history/records.js';

export interface PlannedUser {
  /** The name that it logs in with. */
  readonly name: string;
  /** In the order of `atMs`; the first is a login. Only steps in several tabs share an instant. Milliseconds since the start of the run. */
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStep {
  readonly atMs: number;
  readonly kind: Exclude<OperationKind, 'replay'>;
  readonly token?: string;
  /** The next step does not wait for its answer: it is taken in another tab of the same browser. */
  readonly beside?: true;
  /** An app that can is asked to take so long over it, between opening the session and changing it. */
  readonly slowMs?: number;
}
