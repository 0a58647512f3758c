import type { Operation, RunRecord } from '../../history/records.js';
import { isAccepted, isAnonymous } from './operations.js';

/**
 * The session that the user expects: from a login until the user asks for its end. It does not end when the system logs
 * the user out, nor when the user logs in again because of that: the user still expects the same cart.
 */
export interface ExpectedSession {
  /** When the user's own logout was sent, or a new login while the session was not found lost. A logout that certainly
   * failed ends nothing; an acknowledged or unknown one does. Nothing is expected of an answer that came later. */
  endMs: number;
  /** Tokens that can have been added during this session, in the order of their adds. */
  readonly tokens: Token[];
  /** Whether a read was sent late enough to verify something (`Verification`). */
  triedLate: boolean;
  /** Whether a good read verified the cart, and no anonymous answer came after it. */
  verified: boolean;
}

/** The session of one acknowledged login. One `ExpectedSession` spans several if the system logs the user out. */
export interface LoginSession {
  readonly login: Operation;
  readonly expected: ExpectedSession;
  /** The first anonymous answer that no logout of the user explains. */
  refused: Operation | undefined;
  /** How long the session had been unused before `refused`. */
  pauseMs: number;
  /** When the latest unexplained anonymous answer ended. Undefined while the session is accepted. */
  awayMs: number | undefined;
  /** Whether a login was tried while the session was refused. The session then counts as lost, even if a later answer
   * accepts it again. */
  givenUp: boolean;
}

/** Returns the sessions by number. Session 0, and a session without a login in the history, does not exist: nothing is
 * expected of it. */
function sessionsOf(operations: readonly Operation[], verification: Verification): LoginSession[] {
  const sessions: LoginSession[] = [];
  let current: LoginSession | undefined;
  /** Since when the user knows that the current session is lost. */
  let foundLostMs = Number.POSITIVE_INFINITY;
  for (const operation of operations) {
    if (current !== undefined && endsExpected(operation, foundLostMs)) endExpected(current.expected, operation);
    if (operation.kind === 'read' && isLateEnough(operation, verification)) noteLateRead(operation, sessions);
    if (operation.kind === 'login' && operation.outcome === 'ok') {
      current = newSession(operation, nextExpected(current));
      sessions[operation.session] = current;
      foundLostMs = Number.POSITIVE_INFINITY;
    } else if (operation.session === current?.login.session) foundLostMs = foundLostAfter(operation, foundLostMs);
  }
  return sessions;
}

function foundLostAfter(operation: Operation, foundLostMs: number): number {
  if (isAnonymous(operation)) return Math.min(foundLostMs, operation.doneMs);
  return isAccepted(operation) && operation.sentMs >= foundLostMs ? Number.POSITIVE_INFINITY : foundLostMs;
}

function newSession(login: Operation, expected: ExpectedSession): LoginSession {
  return { login, expected, refused: undefined, pauseMs: 0, awayMs: undefined, givenUp: false };
}

function endsExpected({ kind, outcome, sentMs }: Operation, foundLostMs: number): boolean {
  if (outcome === 'fail') return false;
  return kind === 'logout' || (kind === 'login' && sentMs < foundLostMs);
}

function endExpected(expected: ExpectedSession, by: Operation): void {
  expected.endMs = Math.min(expected.endMs, by.sentMs);
}

function nextExpected(session: LoginSession | undefined): ExpectedSession {
  return session?.expected.endMs === Number.POSITIVE_INFINITY
    ? session.expected
    : { endMs: Number.POSITIVE_INFINITY, tokens: [], triedLate: false, verified: false };
}

function noteLateRead({ session, sentMs }: Operation, sessions: readonly LoginSession[]): void {
  const expected = sessions[session]?.expected;
  if (expected !== undefined && sentMs < expected.endMs) expected.triedLate = true;
}

/** One unique item of one user: when it was added and removed, and what the reads have shown so far. Never =
 * Infinity. */
export interface Token {
  readonly name: string;
  /** The token that was first added next. */
  next: Token | undefined;
  /** The first add that did not certainly fail, or the first add if all failed. */
  add: Operation;
  /** Number of adds that can have happened, which is all that did not certainly fail. */
  adds: number;
  /** When the add was acknowledged. */
  acknowledgedMs: number;
  /** Every later read must show it. This is the acknowledgement, or the end of the first read that showed it. */
  knownMs: number;
  /** When the first removal that did not certainly fail was sent. From then on the token may be gone. */
  removalSentMs: number;
  /** The first acknowledged removal. */
  removal: Operation | undefined;

  /** Number of the latest view that showed it. Without it, a set of shown tokens would be cleared for each view. */
  shownIn: number;
  /** How often that view showed it. */
  shownTimes: number;
  firstShownMs: number;
  lastShown: Operation | undefined;
  /** The first read since `lastShown` that should have shown it and did not. */
  missing: Operation | undefined;
  /** Like `missing`, but for an anonymous answer. It proves no loss: the user may find the token after a login. */
  hidden: Operation | undefined;
  /** When the first read that no longer showed the removed item ended. */
  vanishedMs: number;
  /** The first read that missed it before a later read showed it again. */
  cameBackAfter: Operation | undefined;
  /** Whether a read that verifies (`Verification`) had to show it. The read may have shown it or missed it. */
  verified: boolean;
  /** Whether each defect was reported already: each is reported once. */
  failedVisible: boolean;
  duplicated: boolean;
  resurrected: boolean;
}

/** Returns the user's tokens by name, with everything that does not depend on reads. It enters each token in the
 * expected session of its add. */
function tokensOf(operations: readonly Operation[], sessions: readonly LoginSession[]): Map<string, Token> {
  const tokens = new Map<string, Token>();
  let last: Token | undefined;
  for (const operation of operations) {
    const { kind, token: name } = operation;
    if (name === undefined) continue;
    let token = tokens.get(name);
    if (kind === 'remove') noteRemoval(token, operation);
    if (kind !== 'add') continue;
    if (token === undefined) {
      token = newToken(name, operation);
      tokens.set(name, token);
      if (last !== undefined) last.next = token;
      last = token;
    }
    noteAdd(token, operation, sessions[operation.session]?.expected);
  }
  return tokens;
}

function noteAdd(token: Token, add: Operation, expected: ExpectedSession | undefined): void {
  if (add.outcome === 'fail') return;
  if (token.adds === 0) {
    token.add = add;
    expected?.tokens.push(token);
  }
  token.adds += 1;
  if (add.outcome === 'ok') token.acknowledgedMs = Math.min(token.acknowledgedMs, add.doneMs);
  token.knownMs = token.acknowledgedMs;
}

function newToken(name: string, add: Operation): Token {
  const never = Number.POSITIVE_INFINITY;
  return {
    name,
    next: undefined,
    add,
    adds: 0,
    acknowledgedMs: never,
    knownMs: never,
    removalSentMs: never,
    removal: undefined,
    shownIn: 0,
    shownTimes: 0,
    firstShownMs: never,
    lastShown: undefined,
    missing: undefined,
    hidden: undefined,
    vanishedMs: never,
    cameBackAfter: undefined,
    verified: false,
    failedVisible: false,
    duplicated: false,
    resurrected: false,
  };
}

function noteRemoval(token: Token | undefined, removal: Operation): void {
  if (token === undefined || removal.outcome === 'fail') return;
  token.removalSentMs = Math.min(token.removalSentMs, removal.sentMs);
  if (removal.outcome === 'ok') token.removal ??= removal;
}

/**
 * Whether a read shows a token although it was removed. The read began after the removal was acknowledged, and the add
 * had certainly happened before the removal began. An unknown add may still be executed after the removal.
 */
export function isResurrectedBy(token: Token, read: Operation): boolean {
  const { removal } = token;
  return removal !== undefined && removal.doneMs <= read.sentMs && token.knownMs <= removal.sentMs;
}

export function isPossiblyRemoved(token: Token): boolean {
  return token.removalSentMs < Number.POSITIVE_INFINITY;
}

/** Whether a read must show a token: the token was known when the read began, and no removal began before the read
 * ended. */
export function mustShow(read: Operation, token: Token): boolean {
  return token.knownMs <= read.sentMs && read.doneMs <= token.removalSentMs;
}

/** Everything that the history says about one user. */
export interface Story {
  /** Operations in the order of sending. */
  readonly operations: readonly Operation[];
  /** Sessions by number. */
  readonly sessions: readonly LoginSession[];
  readonly tokens: ReadonlyMap<string, Token>;
}

export function storyOf(operations: readonly Operation[], verification: Verification): Story {
  const sessions = sessionsOf(operations, verification);
  return { operations, sessions, tokens: tokensOf(operations, sessions) };
}

/**
 * Says which reads can verify a write. A read verifies a write only if a loss of the write would show in it:
 *
 *     write ---- fault ---- healed ---- read          verifies
 *     write ---- fault ---- read ---- healed          does not verify: the data may still be lost later
 *     write ---- read ---- logout ---- healed         verifies: the user logged out, so no later read is possible
 */
export interface Verification {
  /** A read verifies if it began at this time or later. */
  readonly fromMs: number;
  /** Whether only the read-back verifies, because a fault was never healed, or because no fault struck. */
  readonly finalOnly: boolean;
}

/** The part of an `ExpectedSession` that verification needs. */
interface ExpectedEnd {
  readonly endMs: number;
  readonly triedLate: boolean;
}

export function verificationOf({ faults, phases }: Pick<RunRecord, 'faults' | 'phases'>): Verification {
  const hasReadBack = phases.some(({ phase }) => phase === 'readback');
  const finalOnly = faults.length === 0 ? hasReadBack : faults.some(({ healedMs }) => healedMs === null);
  const fromMs = faults.reduce((latest, { healedMs }) => Math.max(latest, healedMs ?? 0), Number.NEGATIVE_INFINITY);
  return { fromMs, finalOnly };
}

/** Whether a read began late enough to verify earlier writes, whatever its answer was. */
export function isLateEnough({ sentMs, final }: Operation, { fromMs, finalOnly }: Verification): boolean {
  return finalOnly ? final === true : sentMs >= fromMs;
}

/** Whether the last fault could lose a write. The session must also last beyond the healing, so that a read can show a
 * loss. */
export function isAtRisk(acknowledgedMs: number, { endMs }: ExpectedEnd, { fromMs, finalOnly }: Verification): boolean {
  return finalOnly ? endMs === Number.POSITIVE_INFINITY : acknowledgedMs <= fromMs && endMs >= fromMs;
}

/** Whether a good read of this session verifies the writes before it. */
export function canVerify(read: Operation, expected: ExpectedEnd, verification: Verification): boolean {
  return isLateEnough(read, verification) || !isReadAgain(expected);
}

/** Whether the cart was read, or had to be read, after the last healing. The user may have logged out before it. */
export function isReadAgain({ endMs, triedLate }: ExpectedEnd): boolean {
  return triedLate || endMs === Number.POSITIVE_INFINITY;
}
