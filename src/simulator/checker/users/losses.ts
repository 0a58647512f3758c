import type { FaultRecord, Operation } from '../../history/records.js';
import type { LossShape } from '../findings.js';
import { incident, type Tally } from '../tally.js';
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

/** Tokens that went away together: missed first by the same read, and last held by the same session. */
export interface Loss {
  readonly tokens: Token[];
  /** The session in which they were last certainly there. */
  readonly session: number;
  readonly seen: Operation;
}

/**
 * Judges each write after the last read of its user. A write is counted once: as lost, as stale, or as neither.
 * Returns, by session, the read that found everything gone at once while the user was still logged in.
 */
export function judgeLosses(
  story: Story,
  faults: readonly FaultRecord[],
  verification: Verification,
  tally: Tally,
): Map<number, Operation> {
  const resets = new Map<number, Operation>();
  const visits = new Set(Object.values(story.sessions).map(session => session.visit));
  for (const token of story.tokens.values()) countWrite(token, tally);
  for (const visit of visits) {
    countUnverified(visit, tally);
    countAtRisk(visit, verification, tally);
    for (const loss of lossesOf(visit)) judgeLoss(loss, visit, faults, resets, tally);
  }
  if ([...visits].some(visit => isReadAgain(visit) && !visit.verified)) tally.users.unverified += 1;
  return resets;
}

function countWrite(token: Token, { writes, incidents }: Tally): void {
  const acknowledged = token.acknowledgedMs < Number.POSITIVE_INFINITY;
  const shown = token.lastShown !== undefined;
  if (!acknowledged && shown) writes.recovered += 1;
  if (isLost(token)) writes.lost += 1;
  else if (token.cameBackAfter !== undefined) {
    writes.stale += 1;
    incidents.push(incident('stale', token.add, token.cameBackAfter, { token: token.name, shape: 'comes-back' }));
  }
}

/** Nothing had to show a write that was acknowledged after its user's own logout began. */
function countUnverified({ tokens, endMs }: ExpectedSession, { writes }: Tally): void {
  for (const token of tokens) {
    if (token.acknowledgedMs > endMs || token.acknowledgedMs === Number.POSITIVE_INFINITY) continue;
    if (!isVerified(token) && !isPossiblyRemoved(token)) writes.unverified += 1;
  }
}

function countAtRisk(visit: ExpectedSession, verification: Verification, { evidence }: Tally): void {
  for (const token of visit.tokens) {
    if (token.acknowledgedMs === Number.POSITIVE_INFINITY || isPossiblyRemoved(token)) continue;
    if (!isAtRisk(token.acknowledgedMs, visit, verification)) continue;
    evidence.atRisk += 1;
    if (visit.triedLate && isVerified(token)) evidence.atRiskVerified += 1;
  }
}

/** An anonymous answer that came last leaves it open whether the write is still there. */
function isVerified({ verified, hidden, missing }: Token): boolean {
  return verified && (hidden === undefined || missing !== undefined);
}

/** Whether it is absent from the last read that had to show it, and from all before it back to the last that showed it. */
function isAway(token: Token): boolean {
  return token.missing !== undefined || token.hidden !== undefined;
}

function isLost(token: Token): boolean {
  return token.missing !== undefined && token.verified && !isPossiblyRemoved(token);
}

function lossesOf(visit: ExpectedSession): Loss[] {
  const losses: Loss[] = [];
  for (const token of visit.tokens) {
    const seen = firstAbsence(token);
    if (seen === undefined) continue;
    const session = (token.lastShown ?? token.add).session;
    const together = losses.find(loss => loss.seen === seen && loss.session === session);
    if (together === undefined) losses.push({ tokens: [token], session, seen });
    else together.tokens.push(token);
  }
  return losses;
}

function firstAbsence({ missing, hidden }: Token): Operation | undefined {
  if (missing === undefined || hidden === undefined) return missing ?? hidden;
  return hidden.sentMs <= missing.sentMs ? hidden : missing;
}

function judgeLoss(
  loss: Loss,
  visit: ExpectedSession,
  faults: readonly FaultRecord[],
  resets: Map<number, Operation>,
  tally: Tally,
): void {
  const shape = shapeOf(loss, { atOnce: survivorsOf(loss, visit), later: stayedAfter(loss, visit) }, faults);
  const { seen, session } = loss;
  // A single write that is missing is a lost write: the session may well be the same.
  const isReset = shape === 'reset' && loss.tokens.length > 1 && loss.tokens.some(isLost);
  if (isReset && !isAnonymous(seen) && !resets.has(session)) resets.set(session, seen);
  for (const token of loss.tokens.filter(isLost)) {
    tally.incidents.push(incident('lost', token.add, seen, { token: token.name, sinceMs: token.knownMs, shape }));
  }
}

/** Returns what the read that found the loss had to show too, and what went away later or never. */
function survivorsOf({ seen }: Loss, visit: ExpectedSession): Token[] {
  return visit.tokens.filter(token => {
    const goneMs = firstAbsence(token)?.sentMs ?? Number.POSITIVE_INFINITY;
    return goneMs > seen.sentMs && mustShow(seen, token);
  });
}

/** Returns what was written after the read that found the loss, and was seen to stay. */
function stayedAfter({ seen }: Loss, visit: ExpectedSession): Token[] {
  return visit.tokens.filter(token => token.add.sentMs >= seen.doneMs && token.verified && !isAway(token));
}

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
function shapeOf(loss: Loss, { atOnce, later }: Survivors, faults: readonly FaultRecord[]): LossShape {
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
