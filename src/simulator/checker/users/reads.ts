import type { Operation } from '../../history/records.js';
import { isOfOtherRun } from '../../history/token-names.js';
import { incident, type Tally } from '../tally.js';
import { isAnonymous, isSomebodyElse } from './operations.js';
import {
  canVerify,
  type ExpectedSession,
  isLateEnough,
  isResurrectedBy,
  mustShow,
  type Story,
  type Token,
  type Verification,
} from './sessions.js';

/** One look into the cart. */
export interface View {
  readonly read: Operation;
  /** Counts the user's views from 1; a token that is shown has it in `shownIn`. */
  readonly number: number;
  /** It began late enough to verify what it shows (`verification.ts`). */
  readonly isLate: boolean;
  /** Showed a token that an earlier read had missed after its removal, or whose removal was acknowledged. */
  showsVanished: boolean;
  showsRemoved: boolean;
}

/**
 * Judges the user's reads in the order of sending. Each is compared with what it must show: that is fixed when
 * the read begins, so overlapping requests need no special case. The tokens keep what the reads so far showed of them.
 */
export function judgeReads(story: Story, verification: Verification, nonce: string | undefined, tally: Tally): void {
  const foreign = new Foreign(nonce);
  let number = 0;
  for (const read of story.operations) {
    if (read.kind !== 'read') continue;
    const visit = visitJudgedBy(read, story);
    if (isAnonymous(read)) {
      if (visit !== undefined) noteNothing(visit, read);
    } else if (read.items !== undefined) {
      number += 1;
      const isLate = isLateEnough(read, verification);
      const view: View = { read, number, isLate, showsVanished: false, showsRemoved: false };
      noteShown(view, story, foreign, tally);
      if (visit === undefined || isSomebodyElse(read)) continue;
      noteMissing(visit, view, tally);
      if (canVerify(read, visit, verification)) noteVerified(visit, read);
    }
  }
}

/** A read that was still in flight when the visit ended, or was sent after it, may rightly show nothing. */
function visitJudgedBy(read: Operation, { sessions }: Story): ExpectedSession | undefined {
  const visit = sessions[read.session]?.visit;
  return visit !== undefined && read.doneMs <= visit.endMs ? visit : undefined;
}

/** Call it after the read was compared with what it had to show. */
function noteVerified(visit: ExpectedSession, read: Operation): void {
  visit.verified = true;
  for (const token of visit.tokens) if (token.knownMs <= read.sentMs) token.verified = true;
}

function noteNothing(visit: ExpectedSession, read: Operation): void {
  visit.verified = false;
  for (const token of visit.tokens) {
    if (mustShow(read, token)) token.hidden ??= read;
  }
}

/** Items that are not the user's own, each once. An app may still keep those of an earlier run: they are no phantoms. */
class Foreign {
  readonly #nonce: string | undefined;
  readonly #seen = new Set<string>();

  constructor(nonce: string | undefined) {
    this.#nonce = nonce;
  }

  isNew(item: string): boolean {
    if (this.#seen.has(item)) return false;
    this.#seen.add(item);
    return this.#nonce === undefined || !isOfOtherRun(item, this.#nonce);
  }
}

/** The cart of another user tells nothing about the user's own tokens, but a token of another user is one too many. */
function noteShown(view: View, story: Story, foreign: Foreign, tally: Tally): void {
  const { read } = view;
  const { items = [] } = read;
  const own = !isSomebodyElse(read);
  let next: Token | undefined;
  for (const name of items) {
    // Most carts keep the order of their adds: comparing two names is cheaper than looking one up.
    const token = next?.name === name ? next : story.tokens.get(name);
    next = token?.next;
    if (token === undefined || token.add.sentMs > read.doneMs) notePhantom(name, read, foreign, tally);
    else if (own) noteToken(token, view, tally);
  }
}

function notePhantom(name: string, read: Operation, foreign: Foreign, tally: Tally): void {
  if (!foreign.isNew(name)) return;
  tally.writes.phantom += 1;
  tally.incidents.push(incident('phantom', undefined, read, { token: name }));
}

function noteToken(token: Token, view: View, tally: Tally): void {
  const { read, number } = view;
  if (token.shownIn === number) {
    noteAgain(token, read, tally);
    return;
  }
  token.shownIn = number;
  token.shownTimes = 1;
  if (token.adds === 0) {
    noteFailedVisible(token, read, tally);
    return;
  }
  if (token.removal !== undefined && isResurrectedBy(token, read)) {
    view.showsRemoved = true;
    noteResurrected(token, read, tally);
  } else token.cameBackAfter ??= token.missing;
  if (token.vanishedMs <= read.sentMs) view.showsVanished = true;
  notePresent(token, view);
}

function noteAgain(token: Token, read: Operation, tally: Tally): void {
  token.shownTimes += 1;
  if (token.adds > 0 && token.shownTimes > token.adds) noteDuplicated(token, read, tally);
}

function notePresent(token: Token, { read, isLate }: View): void {
  token.missing = undefined;
  token.hidden = undefined;
  token.lastShown = read;
  if (isLate && token.knownMs <= read.sentMs) token.verified = true;
  if (read.doneMs < token.firstShownMs) token.firstShownMs = read.doneMs;
  if (read.doneMs < token.knownMs) token.knownMs = read.doneMs;
}

function noteFailedVisible(token: Token, read: Operation, tally: Tally): void {
  if (token.failedVisible) return;
  token.failedVisible = true;
  tally.writes.failedVisible += 1;
  tally.incidents.push(incident('failed-visible', token.add, read, { token: token.name }));
}

function noteDuplicated(token: Token, read: Operation, tally: Tally): void {
  if (token.duplicated) return;
  token.duplicated = true;
  tally.writes.duplicated += 1;
  tally.incidents.push(incident('duplicated', token.add, read, { token: token.name }));
}

function noteResurrected(token: Token, read: Operation, tally: Tally): void {
  if (token.resurrected) return;
  token.resurrected = true;
  tally.writes.resurrected += 1;
  tally.incidents.push(incident('resurrected', token.removal, read, { token: token.name }));
}

function noteMissing(visit: ExpectedSession, view: View, tally: Tally): void {
  const { read, number } = view;
  const missing: Token[] = [];
  for (const token of visit.tokens) {
    if (token.shownIn === number || token.knownMs > read.sentMs) continue;
    if (mustShow(read, token)) missing.push(token);
    else token.vanishedMs = Math.min(token.vanishedMs, read.doneMs);
  }
  for (const token of missing) token.missing ??= read;
  if (missing.length > 0 || view.showsVanished || view.showsRemoved) breaches(missing, visit, view, tally);
}

/**
 * The session guarantees (Terry et al. 1994) that one view breaks. `missing`: what it must show and does not.
 * Each is counted in views, once per view. Every write is a token of its own, so "the effect of w is seen" is "its
 * token is shown, or is gone after its removal":
 * - read your writes: it misses a token, or shows a removed one, whose write was acknowledged before it began.
 * - monotonic reads: it misses what an earlier read had shown, or shows again what one had found removed.
 * - monotonic writes: it misses w1 and shows w2, though w2 was sent after w1 was acknowledged.
 * - writes follow reads: it misses w1 and shows w2, though w2 was sent after a read had shown w1.
 */
function breaches(missing: readonly Token[], visit: ExpectedSession, view: View, { guarantees }: Tally): void {
  const { sentMs } = view.read;
  const acknowledgedMs = earliest(missing, token => token.acknowledgedMs);
  const shownMs = earliest(missing, token => token.firstShownMs);
  const newestMs = missing.length === 0 ? 0 : newestShownMs(visit, view);
  if (acknowledgedMs <= sentMs || view.showsRemoved) guarantees.readYourWrites += 1;
  if (shownMs <= sentMs || view.showsVanished) guarantees.monotonicReads += 1;
  if (acknowledgedMs <= newestMs) guarantees.monotonicWrites += 1;
  if (shownMs <= newestMs) guarantees.writesFollowReads += 1;
}

function earliest(tokens: readonly Token[], at: (token: Token) => number): number {
  return tokens.reduce((ms, token) => Math.min(ms, at(token)), Number.POSITIVE_INFINITY);
}

/** When the newest write that the view shows was sent. */
function newestShownMs({ tokens }: ExpectedSession, { number }: View): number {
  return tokens.reduce((ms, token) => (token.shownIn === number ? Math.max(ms, token.add.sentMs) : ms), -1);
}
