import type { Operation } from '../history/records.js';
import { isAccepted, isAnonymous } from './answers.js';
import type { Token } from './tokens.js';
import { isLateEnough, type Verification } from './verification.js';

/**
 * One stay in the shop, as the user sees it: from a login until the user asks for an end of it. Being logged out
 * without asking, and logging in anew because of it, does not end a visit: what was in the cart is still expected.
 */
export interface Visit {
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
export interface Session {
  readonly login: Operation;
  readonly visit: Visit;
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
export function sessionsOf(operations: readonly Operation[], verification: Verification): Session[] {
  const sessions: Session[] = [];
  let current: Session | undefined;
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

function newSession(login: Operation, visit: Visit): Session {
  return { login, visit, refused: undefined, pauseMs: 0, awayMs: undefined, givenUp: false };
}

function endsVisit({ kind, outcome, sentMs }: Operation, foundLostMs: number): boolean {
  if (outcome === 'fail') return false;
  return kind === 'logout' || (kind === 'login' && sentMs < foundLostMs);
}

function endVisit(visit: Visit, by: Operation): void {
  visit.endMs = Math.min(visit.endMs, by.sentMs);
}

function visitAfter(session: Session | undefined): Visit {
  return session?.visit.endMs === Number.POSITIVE_INFINITY
    ? session.visit
    : { endMs: Number.POSITIVE_INFINITY, tokens: [], triedLate: false, verified: false };
}

function noteLateRead({ session, sentMs }: Operation, sessions: readonly Session[]): void {
  const visit = sessions[session]?.visit;
  if (visit !== undefined && sentMs < visit.endMs) visit.triedLate = true;
}
