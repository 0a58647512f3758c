import type { FaultRecord, Operation, RunRecord } from '../history/records.js';
import type { Counts } from './add-counts.js';
import type { Band } from './band.js';
import { type EffectWatch, watchEffect } from './effects.js';
import { exposureBy } from './exposure.js';
import type { FaultFinding } from './findings.js';
import type { FaultGroup, Recovery } from './recovery.js';

interface WatchedFault {
  readonly fault: FaultRecord;
  readonly effect: EffectWatch | undefined;
  exposes(operations: readonly Operation[]): boolean;
  readonly counts: { exposed: number; readonly effect: Counts };
}

/** Looks, user by user, which faults exposed a user and what showed their effect. */
export class FaultWatch {
  /** By the place of the fault in the run. */
  readonly counts: Counts;
  readonly #watched: readonly WatchedFault[];

  constructor(run: RunRecord, band: Band) {
    this.#watched = run.faults.map(fault => {
      const effect = watchEffect(fault, run, band);
      return { fault, effect, exposes: exposureBy(fault, run), counts: { exposed: 0, effect: effect?.counts ?? {} } };
    });
    this.counts = Object.fromEntries(this.#watched.map(({ counts }, i) => [i, counts]));
  }

  /** Takes the operations of one user, in sending order. Returns whether any fault exposed the user. */
  see(operations: readonly Operation[]): boolean {
    let isExposed = false;
    for (const watched of this.#watched) {
      watched.effect?.see(operations);
      if (!watched.exposes(operations)) continue;
      watched.counts.exposed += 1;
      isExposed = true;
    }
    return isExposed;
  }

  /** `recoveries` belong to the groups, one by one. */
  findings(groups: readonly FaultGroup[], recoveries: readonly Recovery[]): FaultFinding[] {
    return this.#watched.map(({ fault, effect, counts: { exposed } }) => {
      const own = recoveries[groups.findIndex(({ faults }) => faults.includes(fault))];
      const { recoveryMs, recovery } = own ?? { recoveryMs: null, recovery: 'none' as const };
      return { id: fault.id, effect: effect?.result() ?? null, exposed, recoveryMs, recovery };
    });
  }
}
