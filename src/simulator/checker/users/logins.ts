import type { Operation } from '../../history/records.js';
import { incident, type Tally } from '../findings.js';
import { isAccepted, isAnonymous, isAnotherUser, needsSession } from './operations.js';
import type { LoginSession, Story } from './sessions.js';

/**
 * Judges how the answers treated the user: as logged out, as another user, or as logged in after the logout.
 * `lagMs` is the time in which an acknowledged logout need not be known everywhere.
 */
export function judgeLogins(story: Story, resets: ReadonlyMap<number, Operation>, lagMs: number, tally: Tally): void {
  notePauses(story, tally);
  judgeLoggedOut(story, resets, tally);
  judgeSwapped(story, tally);
  judgeLogouts(story, lagMs, tally);
  measureRevocation(story, tally);
  judgeCookies(story, tally);
}

/** Notes for each answer how long the session had been unused: an idle time-out shows in it. */
function notePauses({ operations, sessions }: Story, tally: Tally): void {
  let [session, usedMs] = [0, 0];
  for (const operation of operations) {
    const pauseMs = operation.session === session ? operation.sentMs - usedMs : 0;
    noteAnswer(operation, sessions, pauseMs);
    const isLogin = operation.kind === 'login' && operation.outcome === 'ok';
    if (!isLogin && !isAccepted(operation)) continue;
    if (!isLogin) tally.pauses.longestSurvivedMs = Math.max(tally.pauses.longestSurvivedMs, pauseMs);
    [session, usedMs] = [operation.session, operation.doneMs];
  }
}

function noteAnswer(operation: Operation, sessions: readonly LoginSession[], pauseMs: number): void {
  if (operation.kind === 'login') {
    const before = sessions[operation.session - 1];
    if (before?.awayMs !== undefined && operation.outcome !== 'fail') before.givenUp = true;
    return;
  }
  const session = sessions[operation.session];
  if (session === undefined || !shouldBeLoggedIn(operation, session)) return;
  if (isAnonymous(operation)) {
    if (session.refused === undefined) session.pauseMs = pauseMs;
    session.refused ??= operation;
    session.awayMs = Math.max(session.awayMs ?? 0, operation.doneMs);
  } else if (isAccepted(operation) && session.awayMs !== undefined && operation.sentMs >= session.awayMs) {
    session.awayMs = undefined;
  }
}

/** Whether the answer must treat the user as logged in. An operation that is still in flight when the user's own logout
 * begins may get an anonymous answer. */
function shouldBeLoggedIn(operation: Operation, { login, expected }: LoginSession): boolean {
  return login.doneMs <= operation.sentMs && operation.doneMs <= expected.endMs;
}

type LoggedOut = 'hard' | 'silent-reset' | 'flicker';

function judgeLoggedOut({ sessions }: Story, resets: ReadonlyMap<number, Operation>, tally: Tally): void {
  const seen = new Set<LoggedOut>();
  for (const session of Object.values(sessions)) {
    const reset = resets.get(session.login.session);
    const how = howLoggedOut(session, reset);
    const by = how === 'silent-reset' ? reset : session.refused;
    if (how === undefined || by === undefined) continue;
    seen.add(how);
    const pause = how === 'silent-reset' ? {} : { pauseMs: session.pauseMs };
    tally.incidents.push(incident('logged-out', session.login, by, { loggedOut: how, ...pause }));
  }
  countLoggedOut(seen, tally);
}

/** Returns "hard" for a session that was not accepted again, and "flicker" for one that was, without another login. */
function howLoggedOut({ refused, awayMs, givenUp }: LoginSession, reset: Operation | undefined): LoggedOut | undefined {
  if (refused !== undefined && (givenUp || awayMs !== undefined)) return 'hard';
  if (reset !== undefined) return 'silent-reset';
  return refused && 'flicker';
}

function countLoggedOut(seen: ReadonlySet<LoggedOut>, { users }: Tally): void {
  if (seen.size > 0) users.loggedOut += 1;
  if (seen.has('hard')) users.loggedOutHard += 1;
  else if (seen.has('silent-reset')) users.silentlyReset += 1;
  else if (seen.has('flicker')) users.flickered += 1;
}

function judgeSwapped({ operations, sessions }: Story, tally: Tally): void {
  const swapped = new Set<number>();
  for (const operation of operations) {
    if (!isAnotherUser(operation) || swapped.has(operation.session)) continue;
    swapped.add(operation.session);
    tally.incidents.push(incident('identity-swapped', sessions[operation.session]?.login, operation));
  }
  if (swapped.size > 0) tally.users.identitySwapped += 1;
}

/** Counts logins that kept the session cookie: an attacker who knew the cookie before is then logged in as the user. */
function judgeCookies({ operations }: Story, { users, incidents }: Tally): void {
  const logins = operations.filter(({ keptId, outcome }) => keptId && outcome === 'ok');
  const isGood = ({ session }: Operation) =>
    operations.some(operation => operation.session === session && isAccepted(operation));
  const kept = logins.filter(isGood);
  for (const login of kept) incidents.push(incident('session-kept', undefined, login));
  if (kept.length > 0) users.sessionKept += 1;
}

/** Reports at most one incident for each logout. Between its acknowledgement and the next attempt to log in, no answer
 * may treat the user as logged in. */
function judgeLogouts({ operations }: Story, lagMs: number, tally: Tally): void {
  const ignored = new Set<Operation | undefined>();
  const bySession = new Map<number, Operation>();
  let latest: Operation | undefined;
  let isOver = false;
  for (const operation of operations) {
    if (operation.kind === 'login') isOver = true;
    else if (operation.kind === 'logout' && operation.outcome === 'ok') {
      latest = operation;
      bySession.set(operation.session, operation);
      isOver = false;
    } else {
      const isReplay = operation.kind === 'replay';
      const logout = isReplay ? (bySession.get(operation.session) ?? latest) : isOver ? undefined : latest;
      if (ignored.has(logout) || !ignoresLogout(operation, logout, lagMs)) continue;
      ignored.add(logout);
      tally.incidents.push(incident('logout-not-honoured', logout, operation));
    }
  }
  if (ignored.size > 0) tally.users.logoutNotHonoured += 1;
}

/** Measures for each logout how long its session was still accepted. A single replay comes after the revocation delay
 * and measures nothing. */
function measureRevocation({ operations }: Story, { revocationLagsMs }: Tally): void {
  const logouts = new Map<number, Operation>();
  const tries = new Map<Operation, { count: number; lagMs: number }>();
  for (const operation of operations) {
    const { kind, outcome, session, sentMs } = operation;
    if (kind === 'logout' && outcome === 'ok') logouts.set(session, operation);
    const logout = kind === 'replay' ? logouts.get(session) : undefined;
    if (logout === undefined) continue;
    const { count, lagMs } = tries.get(logout) ?? { count: 0, lagMs: 0 };
    const ownLagMs = acceptsReplay(operation) ? sentMs - logout.doneMs : 0;
    tries.set(logout, { count: count + 1, lagMs: Math.max(lagMs, ownLagMs) });
  }
  for (const { count, lagMs } of tries.values()) if (count > 1) revocationLagsMs.push(lagMs);
}

function acceptsReplay({ identity, user, items = [] }: Operation): boolean {
  return identity === user || items.length > 0;
}

/** Whether an answer ignores a logout. A replay sends the cookies from before its logout, whatever the user did
 * since. */
function ignoresLogout(operation: Operation, logout: Operation | undefined, lagMs: number): boolean {
  if (logout !== undefined && operation.sentMs < logout.doneMs + lagMs) return false;
  if (operation.kind === 'replay') return acceptsReplay(operation);
  return logout !== undefined && operation.identity === operation.user && needsSession(operation);
}
