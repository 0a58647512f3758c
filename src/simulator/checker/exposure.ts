import type { FaultRecord, Operation, RunRecord } from '../history/records.js';
import { wasAnswered, wentThrough } from './struck.js';

/**
 * Returns whether a fault exposed a user, given that user's operations in sending order: what the fault struck had
 * answered the user last when it struck, or answered the user while the fault lasted.
 */
export function exposureBy(fault: FaultRecord, run: RunRecord): (operations: readonly Operation[]) => boolean {
  const { requestedMs } = fault;
  const healingMs = fault.healRequestedMs ?? fault.healedMs ?? Number.POSITIVE_INFINITY;
  const isThrough = wentThrough(fault, run);
  return operations => {
    let wasThrough = false;
    for (const operation of operations) {
      if (operation.sentMs > healingMs) break;
      if (!wasAnswered(operation)) continue;
      const through = isThrough(operation);
      if (operation.doneMs <= requestedMs) wasThrough = through;
      else if (through && operation.doneMs <= healingMs) return true;
    }
    return wasThrough;
  };
}
