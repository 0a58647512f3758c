import type { RunRecord } from '../history/records.js';
import { type Band, bandOf } from './band.js';
import type { Findings, Incident } from './findings.js';
import { dropsOf, loadOf, type PlannedLoad } from './load.js';
import { percentilesOf } from './percentiles.js';
import { groupsOf, recoveriesOf, recoveryOfRun } from './recovery.js';
import type { Tally } from './tally.js';
import { byUser } from './users/operations.js';
import { UserPass } from './users/user-pass.js';

/**
 * Finds what a run did to its users. Pure, and from the history alone:
 *
 *     operations -> user by user -> order, reads, writes, logins     -> counts and incidents -> blame
 *                |               -> exposed to which faults, effects -> findings of each fault
 *                -> columns      -> band of the baseline             -> percentiles, recovery
 *
 * Users cannot affect each other's tokens, so each is judged apart. The words: a *token* is the unique item of one add.
 *   acknowledged     its add ended ok
 *   known            acknowledged, or shown by a read; reads that begin later must show it
 *   visit            from a login to the user's own logout. Being logged out otherwise does not end it
 *   verified         a good read had to show it, and began after the last healing (`verification.ts`)
 *   lost             known, not possibly removed, missing from the last good read that had to show it, and verified
 *   unexplained      lost, and no fault struck what it depended on in that time (`blame.ts`)
 *   stale            missing from a read that had to show it, shown by a later one
 *   unverified       acknowledged before the user's own logout began, and not verified
 *   recovered        the add ended unknown, and a read showed it: legal
 *   phantom          shown, and never put there by this user: another user's item
 *   failed-visible   shown, though the add certainly failed
 *   duplicated       shown with a quantity above the number of adds that can have happened
 *   resurrected      shown by a read that began after its removal was acknowledged
 *   logged out       answered as anonymous during a visit. *hard*: refused until the next login, or to the end.
 *                    *flicker*: accepted again without another login. *silent reset*: accepted throughout, and several
 *                    writes of the session are gone at once
 *   identity swapped           an answer names another user
 *   logout not honoured        accepted after the user's own acknowledged logout, or by the cookies from before it, by a
 *                              request that began when the revocation lag of the mode had passed
 *   session kept               after a login the browser holds the session cookie that it came with (OWASP: session
 *                              fixation), and that cookie is accepted
 *   exposed          bound to, or last answered by, what a fault struck when it struck (`exposure.ts`)
 *
 * Two times that are equal count as one after the other: one clock stamps them all.
 */
export function check(run: RunRecord): Findings {
  const preparation = prepareCheck(run);
  const pass = new UserPass(run, preparation.band);
  for (const operations of byUser(run.operations)) pass.see(operations);
  return findingsOf(run, preparation, percentilesIn(preparation), pass);
}

/** What has to be known before the first user is judged. */
export interface Preparation {
  readonly load: PlannedLoad;
  readonly band: Band;
}

export function prepareCheck(run: RunRecord, load = loadOf(run.operations, dropsOf(run.lab))): Preparation {
  return { load, band: bandOf(run, load) };
}

type Times = Pick<Findings, 'latencyMs' | 'serviceMs'>;

/** Needs no user to be judged: threads may judge them meanwhile. */
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
    sentOfPlan: tally.requests.ofPlan,
    evidence: tally.evidence,
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
  const { exposed, loggedOutUnexposed } = exposure;
  return {
    users: { ...users, exposed: isStruck ? exposed : null, loggedOutUnexposed: isStruck ? loggedOutUnexposed : 0 },
    writes: { ...writes, unexplained },
    guarantees,
    requests: requestsOf(run, requests),
  };
}

function requestsOf({ header, lab }: RunRecord, { bad, ofPlan: _, ...sent }: Tally['requests']): Findings['requests'] {
  return { planned: header.planned, ...sent, dropped: lab.dropped, bad: bad + lab.dropped };
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

/** Adds up what the members of the lab counted by themselves, since the last boot of each. */
export function countsOf({ lab }: Pick<RunRecord, 'lab'>): Pick<Findings, 'noSession' | 'stores'> {
  const counted = Object.values(lab.counts ?? {});
  const total = (name: string): number => counted.reduce((sum, counts) => sum + (counts[name] ?? 0), 0);
  // A store counts evictions and no sessions. Where only stores count, "forged 0 times" would be a claim without evidence.
  const isSaid = counted.some(counts => Object.keys(counts).some(name => name !== 'evictions'));
  const times = (name: string): number | null => (isSaid ? total(name) : null);
  return {
    noSession: {
      absent: times('absent'),
      malformed: times('malformed'),
      unknown: times('unknown'),
      expired: times('expired'),
      forged: times('forged'),
      revoked: times('revoked'),
    },
    stores: { evictions: counted.some(counts => 'evictions' in counts) ? total('evictions') : null },
  };
}
