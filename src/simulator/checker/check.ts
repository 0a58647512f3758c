import type { Operation, RunRecord } from '../history/records.js';
import { attributed } from './attribution.js';
import { byUser } from './by-user.js';
import { countsOf } from './counts.js';
import type { Findings, Incident } from './findings.js';
import { isOfPlan, loadOf } from './load.js';
import { judgeLogins } from './logins.js';
import { judgeFates } from './losses.js';
import { percentilesOf } from './percentiles.js';
import { judgeReads } from './reads.js';
import { recoveryOf } from './recovery.js';
import { storyOf } from './story.js';
import { newTally, type Tally } from './tally.js';

/**
 * What a run did to its users: pure, from the history alone. Users cannot affect each other's tokens, so each is judged
 * by himself, in four steps: put his operations in order, go through his reads, settle the fate of each write, look
 * whom the answers took him for.
 *
 * The words. A *token* is the unique item of one add.
 *   acknowledged     its add ended ok
 *   known            acknowledged, or shown by a read: from the earlier of the two on, reads that begin must show it
 *   visit            from a login to the user's own logout; being logged out without asking does not end it. Nothing is
 *                    expected of an answer that came after its end
 *   lost             known, not possibly removed, absent from the last read that had to show it (an anonymous answer
 *                    to a read counts: it shows nothing)
 *   stale            absent from a read that had to show it, shown by a later one
 *   unverified       acknowledged, and no read could be held against it
 *   recovered        the add ended unknown, and a read showed it: legal
 *   phantom          shown, never put there by this user: somebody else's
 *   failed-visible   shown, though the add certainly failed
 *   duplicated       shown with a quantity above the number of adds that can have happened
 *   resurrected      shown by a read that began after its removal was acknowledged
 *   logged out       answered as somebody anonymous during a visit. *hard*: for good; *flicker*: taken for himself again
 *                    without another login; *silent reset*: taken for himself all along, but all that his session held
 *                    is gone at once
 *   identity swapped           an answer names another user
 *   logout not honoured        taken for himself after his acknowledged logout, or by the cookies from before it, by a
 *                              request that began when the mode's revocation lag had passed
 *   session kept               after an acknowledged login the browser holds the session cookie that it came with (OWASP:
 *                              session fixation), and is taken for the user by it; looked at only where it came with one
 *
 * Two times that are equal count as one after the other: one clock stamps them all.
 */
export function check(run: RunRecord): Findings {
  const tally = newTally();
  for (const operations of byUser(run.operations)) judgeUser(operations, run, tally);
  const { users, writes, guarantees, requests } = tally;
  const load = loadOf(run.operations);
  const incidents = tally.incidents.map(incident => attributed(incident, run.faults)).sort(bySeen);
  return {
    users: { ...users, exposed: null, loggedOutUnexposed: 0 },
    writes: { ...writes, unexplained: 0 },
    guarantees,
    requests: requestsOf(run, requests),
    latencyMs: percentilesOf(load.latencyMs),
    serviceMs: percentilesOf(load.serviceMs),
    ...countsOf(run),
    ...recoveryOf(run, load, timesLoggedOut(incidents)),
    faults: [],
    members: { answered: {}, ejectedAtEnd: [], idleAfterHealing: [], notBack: [] },
    incidents,
  };
}

function requestsOf({ header, lab }: RunRecord, { bad, ...sent }: Tally['requests']): Findings['requests'] {
  return { planned: header.planned, ...sent, dropped: lab.dropped, bad: bad + lab.dropped };
}

function judgeUser(operations: readonly Operation[], run: RunRecord, tally: Tally): void {
  const story = storyOf(operations);
  countOperations(operations, tally);
  judgeReads(story, tally);
  const resets = judgeFates(story, run.faults, tally);
  judgeLogins(story, resets, run.header.revocationLagMs ?? 0, tally);
}

/** Every operation that was sent counts, those that the plan does not hold too: replays and the read-back. */
function countOperations(operations: readonly Operation[], { users, writes, requests }: Tally): void {
  users.total += 1;
  for (const operation of operations) {
    const { kind, outcome } = operation;
    requests[outcome === 'fail' ? 'failed' : outcome] += 1;
    if (outcome !== 'ok' && isOfPlan(operation)) requests.bad += 1;
    if (kind !== 'add') continue;
    if (outcome === 'ok') writes.acknowledged += 1;
    else if (outcome === 'unknown') writes.unknown += 1;
  }
}

function timesLoggedOut(incidents: readonly Incident[]): number[] {
  return incidents.filter(({ kind }) => kind === 'logged-out').map(({ seenMs }) => seenMs);
}

/** A total order, whatever the order of the users in the history. */
function bySeen(a: Incident, b: Incident): number {
  return (
    a.seenMs - b.seenMs ||
    compare(a.user, b.user) ||
    a.sinceMs - b.sinceMs ||
    compare(a.kind, b.kind) ||
    compare(a.token ?? '', b.token ?? '')
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
