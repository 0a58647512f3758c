import type { FaultRecord, Operation, RunRecord } from '../history/records.js';
import type { Band } from './band.js';
import { type EffectWatch, watchEffect } from './effects.js';
import { exposureBy } from './exposure.js';
import type { FaultFinding } from './findings.js';
import type { FaultGroup, Recovery } from './recovery.js';

interface WatchedFault {
  readonly fault: FaultRecord;
  readonly effect: EffectWatch | undefined;
  exposes(operations: readonly Operation[]): boolean;
  exposed: number;
}

/** Looks, user by user, which faults exposed a user and what showed their effect. */
export class FaultWatch {
  readonly #watched: readonly WatchedFault[];

  constructor(run: RunRecord, band: Band) {
    this.#watched = run.faults.map(fault => ({
      fault,
      effect: watchEffect(fault, run, band),
      exposes: exposureBy(fault, run),
      exposed: 0,
    }));
  }

  /** Takes the operations of one user, in sending order. Returns whether any fault exposed the user. */
  see(operations: readonly Operation[]): boolean {
    let isExposed = false;
    for (const watched of this.#watched) {
      watched.effect?.see(operations);
      if (!watched.exposes(operations)) continue;
      watched.exposed += 1;
      isExposed = true;
    }
    return isExposed;
  }

  /** `recoveries` belong to the groups, one by one. */
  findings(groups: readonly FaultGroup[], recoveries: readonly Recovery[]): FaultFinding[] {
    return this.#watched.map(({ fault, effect, exposed }) => {
      const own = recoveries[groups.findIndex(({ faults }) => faults.includes(fault))];
      const { recoveryMs, recovery } = own ?? { recoveryMs: null, recovery: 'none' as const };
      return { id: fault.id, effect: effect?.result() ?? null, exposed, recoveryMs, recovery };
    });
  }
}
