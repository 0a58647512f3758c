import type { Operation } from '../history/records.js';
import type { Session, Visit } from './sessions.js';

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
export function tokensOf(operations: readonly Operation[], sessions: readonly Session[]): Map<string, Token> {
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

function noteAdd(token: Token, add: Operation, visit: Visit | undefined): void {
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
