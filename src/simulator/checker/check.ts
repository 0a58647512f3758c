import type { RunRecord } from '../history/records.js';
import type { Findings, HashMoves, Incident, Tally } from './findings.js';
import { type Band, bandOf, dropsOf, loadOf, type PlannedLoad, percentilesOf } from './load.js';
import { groupsOf, recoveriesOf, recoveryOfRun } from './recovery.js';
import { byUser, namesOf } from './users/operations.js';
import { UserPass } from './users/user-pass.js';

/**
 * Returns what a run did to its users. Pure; it needs only the history:
 *
 *     operations -> user by user -> order, reads, writes, logins     -> counts and incidents -> blame
 *                |               -> exposure to faults, effects      -> findings of each fault
 *                -> columns      -> band of the baseline             -> percentiles, recovery
 *
 * Users cannot affect each other's tokens, so each user is judged alone. A *token* is the unique item of one add.
 * A token is:
 *   acknowledged     when its add ended ok
 *   known            when it was acknowledged, or a read showed it. Reads that begin later must show it
 *   verified         when a good read had to show it, and began after the last healing (`Verification`)
 *   missing          when it is known, certainly not removed, and missing from the last good read that had to show it
 *   lost             when it is missing and verified
 *   unexplained      when it is lost, and no fault struck anything that it depended on in that time (`addCandidates`)
 *   stale            when a read that had to show it missed it, and a later read showed it
 *   unverified       when it was acknowledged before the user's own logout began, and is not verified
 *   recovered        when its add ended unknown, and a read showed it: legal
 *   phantom          when a read showed it and this user never added it: it is another user's item
 *   failed-visible   when a read showed it although its add certainly failed
 *   duplicated       when a read showed it more often than its adds can have happened
 *   resurrected      when a read showed it that began after its removal was acknowledged
 * A user is:
 *   logged out       when an answer treats the user as anonymous during an expected session (`ExpectedSession`: from a
 *                    login to the user's own logout). *hard*: refused until the next login, or to the end. *flicker*:
 *                    accepted again without another login. *silent reset*: accepted throughout, but several writes of
 *                    the session are gone at once
 *   exposed          when the struck member gave the user's last answer before the fault, or answered the user during
 *                    it (`fault-findings.ts`)
 *   moved            when the first answer after the faults came from another backend than the last one before them
 * And:
 *   identity swapped       an answer names another user
 *   logout not honoured    a request was accepted after the user's own acknowledged logout, or with the cookies from
 *                          before it. The request began after the revocation lag of the mode
 *   session kept           after a login the browser still has the session cookie from before the login, and the system
 *                          accepts that cookie (OWASP: session fixation)
 *
 * Equal times count as one after the other, because one clock stamps them all.
 */
export function check(run: RunRecord): Findings {
  const preparation = prepareCheck(run);
  const pass = new UserPass(run, preparation.band);
  for (const operations of byUser(run.operations)) pass.see(operations);
  return findingsOf(run, preparation, percentilesIn(preparation), pass);
}

/** The inputs that must be known before the first user is judged. */
export interface Preparation {
  readonly load: PlannedLoad;
  readonly band: Band;
}

export function prepareCheck(run: RunRecord, load = loadOf(run.operations, dropsOf(run.lab))): Preparation {
  return { load, band: bandOf(run, load) };
}

type Times = Pick<Findings, 'latencyMs' | 'serviceMs'>;

/** Returns the percentiles of the whole run. It needs no judged user, so threads may judge users meanwhile. */
export function percentilesIn({ load }: Preparation): Times {
  return {
    latencyMs: percentilesOf(load.latencyMs),
    serviceMs: percentilesOf(load.serviceMs),
  };
}

/** Returns the findings once all users have been judged. */
export function findingsOf(run: RunRecord, { load, band }: Preparation, times: Times, pass: UserPass): Findings {
  const { tally, faults, members } = pass;
  const incidents = tally.incidents.sort(bySeen);
  const loggedOutMs = timesLoggedOut(incidents);
  const groups = groupsOf(run);
  const recoveries = recoveriesOf(groups, load, band, loggedOutMs);
  return {
    ...countsFrom(tally, incidents, run),
    ...times,
    ...countsOf(run),
    ...recoveryOfRun(recoveries),
    faults: faults.findings(groups, recoveries),
    members: members.result(),
    versions: members.versions(),
    hashMoves: addedByHash(run),
    sentOfPlan: tally.requests.ofPlan,
    evidence: tally.evidence,
    revocationLagMs: percentilesOf(Float64Array.from(tally.revocationLagsMs)),
    pauses: tally.pauses,
    incidents,
  };
}

function countsFrom(
  { users, exposure, writes, guarantees, requests }: Tally,
  incidents: readonly Incident[],
  run: RunRecord,
): Pick<Findings, 'users' | 'writes' | 'guarantees' | 'requests'> {
  const isStruck = run.faults.length > 0;
  const unexplained = incidents.filter(({ kind, candidates }) => kind === 'lost' && candidates?.length === 0).length;
  const { exposed, loggedOutUnexposed, present, moved, ...versions } = exposure;
  const ofFaults = isStruck ? { exposed, present, moved } : { exposed: null, present: null, moved: null };
  return {
    users: { ...users, ...versions, ...ofFaults, loggedOutUnexposed: isStruck ? loggedOutUnexposed : 0 },
    writes: { ...writes, unexplained },
    guarantees,
    requests: requestsOf(run, requests),
  };
}

function requestsOf({ header, lab }: RunRecord, { bad, ofPlan: _, ...sent }: Tally['requests']): Findings['requests'] {
  return { planned: header.planned, ...sent, dropped: lab.dropped, bad: bad + lab.dropped };
}

/** Returns how many backends were added, and how many there were then. Null when none was added, or the proxy chooses by
 * no hash. A hash moves the keys of the new backends only, so it moves the share `added / all` of the users. */
export function addedByHash(run: RunRecord): HashMoves | null {
  const added = run.faults.filter(({ fault, confirmedMs }) => fault === 'scale-out' && confirmedMs !== null);
  const [first] = added;
  if (first === undefined || run.header.system?.policy === undefined) return null;
  const ran = namesOf(run, 'backend').filter(name => ranAt(name, first.requestedMs, run)).length;
  return { added: added.length, all: ran + added.length };
}

function ranAt(name: string, atMs: number, { members }: RunRecord): boolean {
  const last = members.findLast(one => one.member === name && one.atMs < atMs);
  return last !== undefined && last.state !== 'dead';
}

function timesLoggedOut(incidents: readonly Incident[]): number[] {
  return incidents.filter(({ kind }) => kind === 'logged-out').map(({ seenMs }) => seenMs);
}

/** Compares incidents by a total order, so that the order of the users in the history does not matter. */
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

/** Counts that are no reasons for a missing session. */
const otherCounts = new Set(['evictions', 'atOnceMax']);

/** Adds up what the members of the lab counted themselves, each since its last boot. */
export function countsOf({ lab }: Pick<RunRecord, 'lab'>): Pick<Findings, 'noSession' | 'stores' | 'backends'> {
  const counted = Object.values(lab.counts ?? {});
  const total = (name: string): number => counted.reduce((sum, counts) => sum + (counts[name] ?? 0), 0);
  // A store counts evictions, but no reasons. If no backend sent counts, "forged 0 times" would have no evidence.
  const hasReasons = counted.some(counts => Object.keys(counts).some(name => !otherCounts.has(name)));
  const atOnce = counted.flatMap(({ atOnceMax }) => atOnceMax ?? []);
  const times = (name: string): number | null => (hasReasons ? total(name) : null);
  return {
    noSession: {
      absent: times('absent'),
      malformed: times('malformed'),
      unknown: times('unknown'),
      expired: times('expired'),
      forged: times('forged'),
      revoked: times('revoked'),
    },
    backends: { atOnceMax: atOnce.length === 0 ? null : Math.max(...atOnce), cutOff: times('cutOff') },
    stores: { evictions: counted.some(counts => 'evictions' in counts) ? total('evictions') : null },
  };
}
