import type { FaultRecord, Operation } from '../../history/records.js';
import { incident, type LossShape, type Tally } from '../findings.js';
import { isAnonymous } from './operations.js';
import {
  type ExpectedSession,
  isAtRisk,
  isPossiblyRemoved,
  isReadAgain,
  mustShow,
  type Story,
  type Token,
  type Verification,
} from './sessions.js';

/** Tokens that were lost together: the same read missed them first, and the same session held them last. */
export interface Loss {
  readonly tokens: Token[];
  /** The last session in which the tokens were certainly there. */
  readonly session: number;
  readonly seen: Operation;
}

/**
 * Judges the writes of a user after the user's last read. Each write counts once: as lost, as stale, or as neither.
 * Returns, by session, the read that found everything gone at once while the user was still logged in.
 */
export function judgeLosses(
  story: Story,
  faults: readonly FaultRecord[],
  verification: Verification,
  tally: Tally,
): Map<number, Operation> {
  const resets = new Map<number, Operation>();
  const expectedSessions = new Set(Object.values(story.sessions).map(session => session.expected));
  for (const token of story.tokens.values()) countWrite(token, tally);
  for (const expected of expectedSessions) {
    countUnverified(expected, tally);
    countAtRisk(expected, verification, tally);
    for (const loss of lossesOf(expected)) judgeLoss(loss, expected, faults, resets, tally);
  }
  if ([...expectedSessions].some(expected => isReadAgain(expected) && !expected.verified)) tally.users.unverified += 1;
  return resets;
}

function countWrite(token: Token, { writes, incidents }: Tally): void {
  const acknowledged = token.acknowledgedMs < Number.POSITIVE_INFINITY;
  const shown = token.lastShown !== undefined;
  if (!acknowledged && shown) writes.recovered += 1;
  if (isMissing(token)) writes.missing += 1;
  if (isLost(token)) writes.lost += 1;
  else if (token.cameBackAfter !== undefined) {
    writes.stale += 1;
    incidents.push(incident('stale', token.add, token.cameBackAfter, { token: token.name, shape: 'comes-back' }));
  }
}

/** Counts unverified writes. It skips those acknowledged after the user's own logout began: no read had to show
 * them. */
function countUnverified({ tokens, endMs }: ExpectedSession, { writes }: Tally): void {
  for (const token of tokens) {
    if (token.acknowledgedMs > endMs || token.acknowledgedMs === Number.POSITIVE_INFINITY) continue;
    if (!isVerified(token) && !isPossiblyRemoved(token)) writes.unverified += 1;
  }
}

function countAtRisk(expected: ExpectedSession, verification: Verification, { evidence }: Tally): void {
  for (const token of expected.tokens) {
    if (token.acknowledgedMs === Number.POSITIVE_INFINITY || isPossiblyRemoved(token)) continue;
    if (!isAtRisk(token.acknowledgedMs, expected, verification)) continue;
    evidence.atRisk += 1;
    if (expected.triedLate && isVerified(token)) evidence.atRiskVerified += 1;
  }
}

/** Whether a read verified the token. If the last answer was anonymous, it is unknown whether the write is still
 * there. */
function isVerified({ verified, hidden, missing }: Token): boolean {
  return verified && (hidden === undefined || missing !== undefined);
}

/** Whether a read that had to show the token has missed it, and no later read has shown it. */
function isAway(token: Token): boolean {
  return token.missing !== undefined || token.hidden !== undefined;
}

/** Whether the last good read that had to show the token missed it. */
export function isMissing(token: Token): boolean {
  return token.missing !== undefined && !isPossiblyRemoved(token);
}

export function isLost(token: Token): boolean {
  return token.verified && isMissing(token);
}

function lossesOf(expected: ExpectedSession): Loss[] {
  const losses: Loss[] = [];
  for (const token of expected.tokens) {
    const seen = firstMissedBy(token);
    if (seen === undefined) continue;
    const session = (token.lastShown ?? token.add).session;
    const together = losses.find(loss => loss.seen === seen && loss.session === session);
    if (together === undefined) losses.push({ tokens: [token], session, seen });
    else together.tokens.push(token);
  }
  return losses;
}

/** Returns the first read that missed the token after the last read that showed it. */
export function firstMissedBy({ missing, hidden }: Token): Operation | undefined {
  if (missing === undefined || hidden === undefined) return missing ?? hidden;
  return hidden.sentMs <= missing.sentMs ? hidden : missing;
}

function judgeLoss(
  loss: Loss,
  expected: ExpectedSession,
  faults: readonly FaultRecord[],
  resets: Map<number, Operation>,
  tally: Tally,
): void {
  const shape = shapeOf(loss, { atOnce: survivorsOf(loss, expected), later: laterSurvivorsOf(loss, expected) }, faults);
  const { seen, session } = loss;
  // A single missing write is only a lost write: the session may well be the same.
  const isReset = shape === 'reset' && loss.tokens.length > 1 && loss.tokens.some(isLost);
  if (isReset && !isAnonymous(seen) && !resets.has(session)) resets.set(session, seen);
  for (const token of loss.tokens.filter(isLost)) {
    tally.incidents.push(incident('lost', token.add, seen, { token: token.name, sinceMs: token.knownMs, shape }));
  }
}

/** Returns the tokens that survived the loss: the read that found it had to show them, and did. */
function survivorsOf({ seen }: Loss, expected: ExpectedSession): Token[] {
  return expected.tokens.filter(token => {
    const goneMs = firstMissedBy(token)?.sentMs ?? Number.POSITIVE_INFINITY;
    return goneMs > seen.sentMs && mustShow(seen, token);
  });
}

/** Returns the tokens that were added after the read that found the loss, and that later reads verified. */
function laterSurvivorsOf({ seen }: Loss, expected: ExpectedSession): Token[] {
  return expected.tokens.filter(token => token.add.sentMs >= seen.doneMs && token.verified && !isAway(token));
}

/**
 * Names the shape of a loss, from the tokens that were lost together and those that survived:
 *
 *     comes-back   one of them was missing and came back before: two copies answer in turn
 *     reset        [x x x] d e    everything up to a moment is gone; the survivors were added after it
 *     suffix       a b [x x x]    everything from a moment on is gone. Tokens added after a fault that struck in
 *                  a b [x x] ! e  between do not count as survivors
 *     hole         a [x] c d      anything else
 *
 * A reset needs at least two lost writes, or one of these: a write that a read had shown, or a write that was lost with
 * its session (an anonymous answer missed it, or a read after another login). A write that no read ever showed may be a
 * single dropped write. In an otherwise empty cart it is not a reset. It is a hole if later writes stayed, unless a
 * fault struck in between.
 */
function shapeOf(loss: Loss, { atOnce, later }: Survivors, faults: readonly FaultRecord[]): LossShape {
  if (loss.tokens.some(token => token.cameBackAfter !== undefined)) return 'comes-back';
  const lastSureMs = Math.max(...loss.tokens.map(lastPresentMs));
  const older = atOnce.filter(token => token.add.sentMs < lastSureMs);
  const newer = atOnce.filter(token => token.add.sentMs >= lastSureMs);
  const together = isSessionLoss(loss);
  if (older.length === 0 && together) return 'reset';
  const firstLostMs = Math.min(...loss.tokens.map(token => token.add.sentMs));
  const isTail = older.every(token => token.add.sentMs < firstLostMs);
  const after = together ? newer : [...newer, ...later];
  return isTail && (after.length === 0 || struckBetween(loss, after, faults)) ? 'suffix' : 'hole';
}

/** Tokens that were there when the loss was found, and tokens that were added later and stayed. */
interface Survivors {
  readonly atOnce: readonly Token[];
  readonly later: readonly Token[];
}

/** Returns the latest time at which the token was certainly in the cart. */
function lastPresentMs({ lastShown, acknowledgedMs, knownMs }: Token): number {
  const writtenMs = acknowledgedMs < Number.POSITIVE_INFINITY ? acknowledgedMs : knownMs;
  return Math.max(writtenMs, lastShown?.sentMs ?? 0);
}

function isSessionLoss({ tokens, session, seen }: Loss): boolean {
  const wentWithSession = isAnonymous(seen) || seen.session !== session;
  return wentWithSession || tokens.length > 1 || tokens.some(token => token.lastShown !== undefined);
}

/** Whether a fault struck between the last lost write and the first write that stayed. A fault after the read that
 * missed them explains nothing. */
function struckBetween({ tokens, seen }: Loss, newer: readonly Token[], faults: readonly FaultRecord[]): boolean {
  const lastLostMs = Math.max(...tokens.map(token => token.add.sentMs));
  const untilMs = Math.min(seen.doneMs, ...newer.map(token => token.add.sentMs));
  return faults.some(
    ({ requestedMs, confirmedMs }) => confirmedMs !== null && lastLostMs <= confirmedMs && requestedMs <= untilMs,
  );
}
