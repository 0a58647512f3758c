import type { Operation } from '../../history/records.js';
import { isOfOtherRun } from '../../plan/planned-user.js';
import { incident, type Tally } from '../findings.js';
import { isAnonymous, isAnotherUser } from './operations.js';
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

/** One read that showed a cart. */
export interface View {
  readonly read: Operation;
  /** Number of this view among the user's views, from 1. A token that it shows has this number in `shownIn`. */
  readonly number: number;
  /** Whether it began late enough to verify what it shows (`Verification`). */
  readonly isLate: boolean;
  /** Whether it showed a token that an earlier read had found removed. */
  showsVanished: boolean;
  /** Whether it showed a token whose removal was acknowledged. */
  showsRemoved: boolean;
}

/**
 * Judges the user's reads in the order of sending, and compares each with what it must show. What it must show is fixed
 * when the read begins, so overlapping requests need no special case. The tokens keep what the reads have shown so far.
 */
export function judgeReads(story: Story, verification: Verification, nonce: string | undefined, tally: Tally): void {
  const foreign = new ForeignItems(nonce);
  let number = 0;
  for (const read of story.operations) {
    if (read.kind !== 'read') continue;
    const expected = sessionJudgedBy(read, story);
    if (isAnonymous(read)) {
      if (expected !== undefined) noteAnonymous(expected, read);
    } else if (read.items !== undefined) {
      number += 1;
      const isLate = isLateEnough(read, verification);
      const view: View = { read, number, isLate, showsVanished: false, showsRemoved: false };
      noteShown(view, story, foreign, tally);
      if (expected === undefined || isAnotherUser(read)) continue;
      noteMissing(expected, view, tally);
      if (canVerify(read, expected, verification)) noteVerified(expected, read);
    }
  }
}

/** Returns the session that the read can judge. A read that was in flight when the session ended, or that was sent
 * later, may show nothing. */
function sessionJudgedBy(read: Operation, { sessions }: Story): ExpectedSession | undefined {
  const expected = sessions[read.session]?.expected;
  return expected !== undefined && read.doneMs <= expected.endMs ? expected : undefined;
}

/** Marks the tokens that the read verified. Call it after the read was compared with what it had to show. */
function noteVerified(expected: ExpectedSession, read: Operation): void {
  expected.verified = true;
  for (const token of expected.tokens) if (token.knownMs <= read.sentMs) token.verified = true;
}

function noteAnonymous(expected: ExpectedSession, read: Operation): void {
  expected.verified = false;
  for (const token of expected.tokens) {
    if (mustShow(read, token)) token.hidden ??= read;
  }
}

/** Remembers the items of other users, to report each once. Items of an earlier run are not phantoms: an app may keep
 * them. */
class ForeignItems {
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

/** Notes the items that a read shows. An answer for another user says nothing about the user's own tokens. An item that
 * is not the user's own is always a phantom. */
function noteShown(view: View, story: Story, foreign: ForeignItems, tally: Tally): void {
  const { read } = view;
  const { items = [] } = read;
  const own = !isAnotherUser(read);
  let next: Token | undefined;
  for (const name of items) {
    // Most carts keep the order of their adds. So the next token is tried first, which is cheaper.
    const token = next?.name === name ? next : story.tokens.get(name);
    next = token?.next;
    if (token === undefined || token.add.sentMs > read.doneMs) notePhantom(name, read, foreign, tally);
    else if (own) noteToken(token, view, tally);
  }
}

function notePhantom(name: string, read: Operation, foreign: ForeignItems, tally: Tally): void {
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

function noteMissing(expected: ExpectedSession, view: View, tally: Tally): void {
  const { read, number } = view;
  const missing: Token[] = [];
  for (const token of expected.tokens) {
    if (token.shownIn === number || token.knownMs > read.sentMs) continue;
    if (mustShow(read, token)) missing.push(token);
    else token.vanishedMs = Math.min(token.vanishedMs, read.doneMs);
  }
  for (const token of missing) token.missing ??= read;
  if (missing.length > 0 || view.showsVanished || view.showsRemoved) countBreaches(missing, expected, view, tally);
}

/**
 * Counts the session guarantees (Terry et al. 1994) that one view breaks, each at most once per view. `missing` holds
 * the tokens that the view must show and does not. Every write has its own token, so "the effect of w is seen" means
 * "the token of w is shown, or is gone after its removal":
 * - read your writes: the view misses a token, or shows a removed one, and that write was acknowledged before the view.
 * - monotonic reads: the view misses what an earlier read had shown, or shows what an earlier read had found removed.
 * - monotonic writes: the view misses w1 and shows w2, although w2 was sent after w1 was acknowledged.
 * - writes follow reads: the view misses w1 and shows w2, although w2 was sent after a read had shown w1.
 */
function countBreaches(missing: readonly Token[], expected: ExpectedSession, view: View, { guarantees }: Tally): void {
  const { sentMs } = view.read;
  const acknowledgedMs = earliest(missing, token => token.acknowledgedMs);
  const shownMs = earliest(missing, token => token.firstShownMs);
  const newestMs = missing.length === 0 ? 0 : newestShownMs(expected, view);
  if (acknowledgedMs <= sentMs || view.showsRemoved) guarantees.readYourWrites += 1;
  if (shownMs <= sentMs || view.showsVanished) guarantees.monotonicReads += 1;
  if (acknowledgedMs <= newestMs) guarantees.monotonicWrites += 1;
  if (shownMs <= newestMs) guarantees.writesFollowReads += 1;
}

function earliest(tokens: readonly Token[], at: (token: Token) => number): number {
  return tokens.reduce((ms, token) => Math.min(ms, at(token)), Number.POSITIVE_INFINITY);
}

/** Returns when the newest write that the view shows was sent. -1 when it shows none. */
function newestShownMs({ tokens }: ExpectedSession, { number }: View): number {
  return tokens.reduce((ms, token) => (token.shownIn === number ? Math.max(ms, token.add.sentMs) : ms), -1);
}
