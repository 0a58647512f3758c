import type { Operation, RunRecord } from '../../history/records.js';
import { isAccepted, isAnonymous } from './operations.js';

/**
 * One stay in the shop, as the user sees it: from a login until the user asks for an end of it. Being logged out
 * without asking, and logging in anew because of it, does not end a visit: what was in the cart is still expected.
 */
export interface ExpectedSession {
  /** When the user's own logout was sent (acknowledged or unknown; one that certainly failed ends nothing), or a login
   * on top of a session that was not found lost. Nothing is expected of an answer that came after it. */
  endMs: number;
  /** Those that can have been put into the cart during this visit, in the order of their adds. */
  readonly tokens: Token[];
  /** A read was sent that was late enough to verify something (`verification.ts`). */
  triedLate: boolean;
  /** A good read verified what the visit held, and no anonymous answer came after it. */
  verified: boolean;
}

/** What follows one acknowledged login. */
export interface LoginSession {
  readonly login: Operation;
  readonly visit: ExpectedSession;
  /** The first anonymous answer that the user had not asked for by a logout. */
  refused: Operation | undefined;
  /** How long the session had not been used before it. */
  pauseMs: number;
  /** When the latest such answer ended; undefined while the session is accepted, or accepted again. */
  awayMs: number | undefined;
  /** A login was tried while away: nothing that comes later can show that the session had only flickered. */
  givenUp: boolean;
}

/** Sessions by their number. Session 0, and one whose login is not in the history, does not exist: nothing is expected. */
export function sessionsOf(operations: readonly Operation[], verification: Verification): LoginSession[] {
  const sessions: LoginSession[] = [];
  let current: LoginSession | undefined;
  /** Since when the user knows that the current session is lost. */
  let foundLostMs = Number.POSITIVE_INFINITY;
  for (const operation of operations) {
    if (current !== undefined && endsVisit(operation, foundLostMs)) endVisit(current.visit, operation);
    if (operation.kind === 'read' && isLateEnough(operation, verification)) noteLateRead(operation, sessions);
    if (operation.kind === 'login' && operation.outcome === 'ok') {
      current = newSession(operation, visitAfter(current));
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

function newSession(login: Operation, visit: ExpectedSession): LoginSession {
  return { login, visit, refused: undefined, pauseMs: 0, awayMs: undefined, givenUp: false };
}

function endsVisit({ kind, outcome, sentMs }: Operation, foundLostMs: number): boolean {
  if (outcome === 'fail') return false;
  return kind === 'logout' || (kind === 'login' && sentMs < foundLostMs);
}

function endVisit(visit: ExpectedSession, by: Operation): void {
  visit.endMs = Math.min(visit.endMs, by.sentMs);
}

function visitAfter(session: LoginSession | undefined): ExpectedSession {
  return session?.visit.endMs === Number.POSITIVE_INFINITY
    ? session.visit
    : { endMs: Number.POSITIVE_INFINITY, tokens: [], triedLate: false, verified: false };
}

function noteLateRead({ session, sentMs }: Operation, sessions: readonly LoginSession[]): void {
  const visit = sessions[session]?.visit;
  if (visit !== undefined && sentMs < visit.endMs) visit.triedLate = true;
}

/** One unique item of one user: when it came and went, and what the reads so far showed of it. Never = Infinity. */
export interface Token {
  readonly name: string;
  /** The one that was put there first after it. */
  next: Token | undefined;
  /** The first attempt to add it that did not certainly fail; the first of all when all failed. */
  add: Operation;
  /** Adds that can have happened: those that did not certainly fail. */
  adds: number;
  /** The acknowledgement of the add. */
  acknowledgedMs: number;
  /** From here on every read must show it: acknowledged, or the end of the first read that showed it. */
  knownMs: number;
  /** From here on it may be gone because the user removed it: the first removal that did not certainly fail. */
  removalSentMs: number;
  /** The first acknowledged removal. */
  removal: Operation | undefined;

  /** The read that showed it last, as its number within the user's reads: a set that needs no clearing. */
  shownIn: number;
  /** How often that read showed it. */
  shownTimes: number;
  firstShownMs: number;
  lastShown: Operation | undefined;
  /** The first read since `lastShown` that should have shown it and did not. */
  missing: Operation | undefined;
  /** The same, but the answer was anonymous. It proves no loss: the user may find it again after a login. */
  hidden: Operation | undefined;
  /** The end of the first read that did not show it any more after a removal. */
  vanishedMs: number;
  /** The first read that had missed it before it came back. */
  cameBackAfter: Operation | undefined;
  /** A read that verifies (`verification.ts`) had to show it: it did, or it missed it. */
  verified: boolean;
  /** What has been reported of it: each thing once. */
  failedVisible: boolean;
  duplicated: boolean;
  resurrected: boolean;
}

/** The user's tokens by name, with all that does not depend on reads; each is entered in the visit of its add. */
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
    noteAdd(token, operation, sessions[operation.session]?.visit);
  }
  return tokens;
}

function noteAdd(token: Token, add: Operation, visit: ExpectedSession | undefined): void {
  if (add.outcome === 'fail') return;
  if (token.adds === 0) {
    token.add = add;
    visit?.tokens.push(token);
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
 * Shown although it was removed: the read began after the removal was acknowledged, and the add had certainly happened
 * before the removal began (an unknown add stays open: it may rightly be carried out after the removal).
 */
export function isResurrectedBy(token: Token, read: Operation): boolean {
  const { removal } = token;
  return removal !== undefined && removal.doneMs <= read.sentMs && token.knownMs <= removal.sentMs;
}

export function isPossiblyRemoved(token: Token): boolean {
  return token.removalSentMs < Number.POSITIVE_INFINITY;
}

/** It was known when the read began, and when the read ended no removal had begun. */
export function mustShow(read: Operation, token: Token): boolean {
  return token.knownMs <= read.sentMs && read.doneMs <= token.removalSentMs;
}

/** All that is known of one user. */
export interface Story {
  /** In the order of sending. */
  readonly operations: readonly Operation[];
  /** By number. */
  readonly sessions: readonly LoginSession[];
  readonly tokens: ReadonlyMap<string, Token>;
}

export function storyOf(operations: readonly Operation[], verification: Verification): Story {
  const sessions = sessionsOf(operations, verification);
  return { operations, sessions, tokens: tokensOf(operations, sessions) };
}

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

/** What is asked here of a visit: see `ExpectedSession`. */
interface VisitEnd {
  readonly endMs: number;
  readonly triedLate: boolean;
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
export function isAtRisk(acknowledgedMs: number, { endMs }: VisitEnd, { fromMs, finalOnly }: Verification): boolean {
  return finalOnly ? endMs === Number.POSITIVE_INFINITY : acknowledgedMs <= fromMs && endMs >= fromMs;
}

/** Whether a good read of this visit verifies what was written before it. */
export function canVerify(read: Operation, visit: VisitEnd, verification: Verification): boolean {
  return isLateEnough(read, verification) || !isReadAgain(visit);
}

/** Whether the visit was, or had to be, read after the last healing. Its user may have ended it before. */
export function isReadAgain({ endMs, triedLate }: VisitEnd): boolean {
  return triedLate || endMs === Number.POSITIVE_INFINITY;
}
