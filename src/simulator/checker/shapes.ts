import type { FaultRecord } from '../history.js';
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
 * One write that no read ever showed, gone from an otherwise empty cart, is no reset: a single dropped write looks the
 * same. A reset is two writes at least, or one that had been seen, or whatever went with its session: missed by an
 * answer to somebody anonymous, or after another login.
 */
export function shapeOf(loss: Loss, survivors: readonly Token[], faults: readonly FaultRecord[]): LossShape {
  if (loss.tokens.some(token => token.cameBackAfter !== undefined)) return 'comes-back';
  const lastSureMs = Math.max(...loss.tokens.map(surelyThereMs));
  const older = survivors.filter(token => token.add.sentMs < lastSureMs);
  const newer = survivors.filter(token => token.add.sentMs >= lastSureMs);
  if (older.length === 0 && isMoreThanOneWrite(loss)) return 'reset';
  const firstLostMs = Math.min(...loss.tokens.map(token => token.add.sentMs));
  const isTail = older.every(token => token.add.sentMs < firstLostMs);
  return isTail && (newer.length === 0 || struckBetween(loss, newer, faults)) ? 'suffix' : 'hole';
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

function struckBetween({ tokens }: Loss, newer: readonly Token[], faults: readonly FaultRecord[]): boolean {
  const lastLostMs = Math.max(...tokens.map(token => token.add.sentMs));
  const firstNewMs = Math.min(...newer.map(token => token.add.sentMs));
  return faults.some(
    ({ requestedMs, confirmedMs }) => confirmedMs !== null && lastLostMs <= confirmedMs && requestedMs <= firstNewMs,
  );
}
