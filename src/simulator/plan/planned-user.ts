import type { OperationKind } from '../history/records.js';

/** The steps of one user: a list from a plan, or steps without end. */
export interface UserScript {
  /** The name that it logs in with. */
  readonly name: string;
  /** In the order of `atMs`. The first step is a login. Only steps in different tabs share a time. */
  readonly steps: Iterable<PlannedStep>;
}

export interface PlannedUser extends UserScript {
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStep {
  /** Milliseconds since the start of the run. */
  readonly atMs: number;
  readonly kind: Exclude<OperationKind, 'replay'>;
  readonly token?: string;
  /** The step happens in another tab of the same browser, so the next step does not wait for its answer. */
  readonly beside?: true;
  /** How long the app should wait between opening the session and changing it, if the app supports that. */
  readonly slowMs?: number;
}
