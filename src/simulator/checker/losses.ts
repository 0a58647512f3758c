import type { FaultRecord, Operation } from '../history/records.js';
import { isAnonymous } from './answers.js';
import type { Visit } from './sessions.js';
import { shapeOf } from './shapes.js';
import type { Story } from './story.js';
import { incident, type Tally } from './tally.js';
import { isPossiblyRemoved, mustShow, type Token } from './tokens.js';

/** Tokens that went away together: missed first by the same read, and last held by the same session. */
export interface Loss {
  readonly tokens: Token[];
  /** The session in which they were last certainly there. */
  readonly session: number;
  readonly seen: Operation;
}

/**
 * After the last read: what became of each token. It has one fate only; who is lost was not merely stale.
 * Answers with the reads that saw all that a session held gone at once while the user was taken for himself, by session.
 */
export function judgeFates(story: Story, faults: readonly FaultRecord[], tally: Tally): Map<number, Operation> {
  for (const token of story.tokens.values()) countFate(token, tally);
  const resets = new Map<number, Operation>();
  for (const visit of new Set(Object.values(story.sessions).map(session => session.visit))) {
    for (const loss of lossesOf(visit)) judgeLoss(loss, visit, faults, resets, tally);
  }
  return resets;
}

function countFate(token: Token, { writes, incidents }: Tally): void {
  const acknowledged = token.acknowledgedMs < Number.POSITIVE_INFINITY;
  const shown = token.lastShown !== undefined;
  if (!acknowledged && shown) writes.recovered += 1;
  if (acknowledged && !token.verified && !isPossiblyRemoved(token)) writes.unverified += 1;
  if (isLost(token)) writes.lost += 1;
  else if (token.cameBackAfter !== undefined) {
    writes.stale += 1;
    incidents.push(incident('stale', token.add, token.cameBackAfter, { token: token.name, shape: 'comes-back' }));
  }
}

/** Absent from the last read that had to show it, and from all before it back to the last that showed it. */
function isAway(token: Token): boolean {
  return token.missing !== undefined || token.hidden !== undefined;
}

function isLost(token: Token): boolean {
  return isAway(token) && !isPossiblyRemoved(token);
}

function lossesOf(visit: Visit): Loss[] {
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
  visit: Visit,
  faults: readonly FaultRecord[],
  resets: Map<number, Operation>,
  tally: Tally,
): void {
  const shape = shapeOf(loss, { atOnce: survivorsOf(loss, visit), later: stayedAfter(loss, visit) }, faults);
  const { seen, session } = loss;
  if (shape === 'reset' && !isAnonymous(seen) && !resets.has(session)) {
    resets.set(session, seen);
  }
  for (const token of loss.tokens.filter(isLost)) {
    tally.incidents.push(incident('lost', token.add, seen, { token: token.name, sinceMs: token.knownMs, shape }));
  }
}

/** What the read that found the loss had to show as well, and what went away later or never. */
function survivorsOf({ seen }: Loss, visit: Visit): Token[] {
  return visit.tokens.filter(token => {
    const goneMs = firstAbsence(token)?.sentMs ?? Number.POSITIVE_INFINITY;
    return goneMs > seen.sentMs && mustShow(seen, token);
  });
}

/** What was written after the read that found the loss, and seen to stay. */
function stayedAfter({ seen }: Loss, visit: Visit): Token[] {
  return visit.tokens.filter(token => token.add.sentMs >= seen.doneMs && token.verified && !isAway(token));
}
