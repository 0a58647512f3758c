import type { FaultRecord } from '../history/records.js';
import { isAnonymous } from './answers.js';
import type { LossShape } from './findings.js';
import type { Loss } from './losses.js';
import type { Token } from './tokens.js';

/**
 * The shape of a loss, from what was lost together and what survived it:
 *
 *     comes-back   one of them had been away and back before: two copies answer in turn
 *     reset        [x x x] d e    everything up to a moment is gone; what survived was begun after it
 *     suffix       a b [x x x]    everything from a moment on is gone. What was begun after a fault that struck
 *                  a b [x x] ! e  between does not count as surviving it
 *     hole         a [x] c d      anything else
 *
 * A reset is two writes at least, or one that a read had shown, or one that went with its session: an anonymous answer
 * missed it, or a read after another login. One write that no read ever showed may be a single dropped one. It is no reset
 * when the cart was otherwise empty. It is a hole when what was written after that read stayed, unless a fault struck
 * between.
 */
export function shapeOf(loss: Loss, { atOnce, later }: Survivors, faults: readonly FaultRecord[]): LossShape {
  if (loss.tokens.some(token => token.cameBackAfter !== undefined)) return 'comes-back';
  const lastSureMs = Math.max(...loss.tokens.map(surelyThereMs));
  const older = atOnce.filter(token => token.add.sentMs < lastSureMs);
  const newer = atOnce.filter(token => token.add.sentMs >= lastSureMs);
  const together = isMoreThanOneWrite(loss);
  if (older.length === 0 && together) return 'reset';
  const firstLostMs = Math.min(...loss.tokens.map(token => token.add.sentMs));
  const isTail = older.every(token => token.add.sentMs < firstLostMs);
  const after = together ? newer : [...newer, ...later];
  return isTail && (after.length === 0 || struckBetween(loss, after, faults)) ? 'suffix' : 'hole';
}

/** What was there when the loss was found, and what was written after it and stayed. */
interface Survivors {
  readonly atOnce: readonly Token[];
  readonly later: readonly Token[];
}

/** The latest moment of which it is certain that the token was in the cart. */
function surelyThereMs({ lastShown, acknowledgedMs, knownMs }: Token): number {
  const writtenMs = acknowledgedMs < Number.POSITIVE_INFINITY ? acknowledgedMs : knownMs;
  return Math.max(writtenMs, lastShown?.sentMs ?? 0);
}

function isMoreThanOneWrite({ tokens, session, seen }: Loss): boolean {
  const wentWithSession = isAnonymous(seen) || seen.session !== session;
  return wentWithSession || tokens.length > 1 || tokens.some(token => token.lastShown !== undefined);
}

/** No fault explains what a read had missed before it. */
function struckBetween({ tokens, seen }: Loss, newer: readonly Token[], faults: readonly FaultRecord[]): boolean {
  const lastLostMs = Math.max(...tokens.map(token => token.add.sentMs));
  const untilMs = Math.min(seen.doneMs, ...newer.map(token => token.add.sentMs));
  return faults.some(
    ({ requestedMs, confirmedMs }) => confirmedMs !== null && lastLostMs <= confirmedMs && requestedMs <= untilMs,
  );
}
