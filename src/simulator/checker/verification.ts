import type { Operation, RunRecord } from '../history/records.js';
import type { Visit } from './sessions.js';

/**
 * Says which reads can verify a write. A read verifies only if it could have missed the write:
 *
 *     write ---- fault ---- healed ---- read          verifies
 *     write ---- fault ---- read ---- healed          does not: the data may still be lost later
 *     write ---- read ---- logout ---- healed         verifies: the user ended the visit, so no later read is possible
 */
export interface Verification {
  /** A read verifies if it began at this moment or later. */
  readonly fromMs: number;
  /** Only the read-back verifies: a fault was never healed, or no fault struck that could have ended. */
  readonly finalOnly: boolean;
}

export function verificationOf({ faults, phases }: Pick<RunRecord, 'faults' | 'phases'>): Verification {
  const hasReadBack = phases.some(({ phase }) => phase === 'readback');
  const finalOnly = faults.length === 0 ? hasReadBack : faults.some(({ healedMs }) => healedMs === null);
  const fromMs = faults.reduce((latest, { healedMs }) => Math.max(latest, healedMs ?? 0), Number.NEGATIVE_INFINITY);
  return { fromMs, finalOnly };
}

/** Whether a read began late enough to verify what was written before it, whatever it answered. */
export function isLateEnough({ sentMs, final }: Operation, { fromMs, finalOnly }: Verification): boolean {
  return finalOnly ? final === true : sentMs >= fromMs;
}

/** Whether a write was there to be lost by what was healed last, and its visit went on, so that a later read can tell. */
export function isAtRisk(acknowledgedMs: number, { endMs }: Visit, { fromMs, finalOnly }: Verification): boolean {
  return finalOnly ? endMs === Number.POSITIVE_INFINITY : acknowledgedMs <= fromMs && endMs >= fromMs;
}

/** Whether a good read of this visit verifies what was written before it. */
export function canVerify(read: Operation, visit: Visit, verification: Verification): boolean {
  return isLateEnough(read, verification) || !isReadAgain(visit);
}

/** Whether the visit was, or had to be, read after the last healing. Its user may have ended it before. */
export function isReadAgain({ endMs, triedLate }: Visit): boolean {
  return triedLate || endMs === Number.POSITIVE_INFINITY;
}
