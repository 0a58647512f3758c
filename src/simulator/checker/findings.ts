import type { Operation } from '../history/records.js';

/** Backends that were added, beside all that there were then. A hash moves the share `added / all` of the users. */
export interface HashMoves {
  readonly added: number;
  readonly all: number;
}

/** The findings of the checker in one history: the counts of the JSON report, and one incident for each defect. */
export interface Findings {
  readonly users: {
    readonly total: number;
    /** Users whose last answer before a fault came from the struck member, or who got an answer from it during the
     * fault. Null: no fault struck. */
    readonly exposed: number | null;
    /** Users with an acknowledged login whose cart was not verified by any read after the last healing. */
    readonly unverified: number;
    /** Users who lost a session they should have had: hard, flicker or silent reset. */
    readonly loggedOut: number;
    /** Part of `loggedOut`: users that no fault had exposed. 0 when no fault struck. */
    readonly loggedOutUnexposed: number;
    /** Users who were answered by two versions of the backends. */
    readonly sawBothVersions: number;
    /** Users who were answered by an old version again, after a new one. */
    readonly wentBack: number;
    /** Users who were answered before the first fault and after the last one was confirmed. Null: no fault struck. */
    readonly present: number | null;
    /** Part of `present`: users whose first answer after it came from another backend than the last one before it. */
    readonly moved: number | null;
    readonly identitySwapped: number;
    /** The next three are parts of `loggedOut`. A user counts once, under the worst (hard, silent reset, flicker). */
    readonly loggedOutHard: number;
    readonly silentlyReset: number;
    readonly flickered: number;
    readonly logoutNotHonoured: number;
    /** Users whose session cookie stayed the same at a login: an attacker who had planted it is then logged in, too. */
    readonly sessionKept: number;
  };
  readonly writes: {
    readonly acknowledged: number;
    readonly lost: number;
    /** Known, not possibly removed, and missing from the last good read that had to show it, verified or not. `lost` is
     * the verified part. So a loss shows here while its fault is still active. */
    readonly missing: number;
    /** Part of `lost`: no fault explains it, because none struck what the data depended on. 0 when no fault struck. */
    readonly unexplained: number;
    readonly unknown: number;
    /** Acknowledged, but no read after the last healing could have shown a loss. */
    readonly unverified: number;
    readonly duplicated: number;
    readonly phantom: number;
    readonly resurrected: number;
    readonly stale: number;
    readonly recovered: number;
    readonly failedVisible: number;
  };
  readonly guarantees: {
    /** Reads that violate a session guarantee (Terry et al. 1994). A read counts once for each guarantee that it
     * breaks. */
    readonly readYourWrites: number;
    readonly monotonicReads: number;
    readonly monotonicWrites: number;
    readonly writesFollowReads: number;
  };
  readonly requests: {
    readonly planned: number;
    readonly ok: number;
    readonly failed: number;
    readonly unknown: number;
    readonly dropped: number;
    /** The error budget that was spent: planned requests without a good answer in time (failed, unknown or dropped). */
    readonly bad: number;
  };
  /** Response time of the answered requests: done - planned. A request that timed out or was dropped counts with the
   * time that its user had waited. A refused or aborted request is a failure and has no time. */
  readonly latencyMs: Percentiles;
  /** Service time: done - sent. */
  readonly serviceMs: Percentiles;
  /** Why requests had no session, as each backend counted it since its last boot. Null: no backend counted it. */
  readonly noSession: Readonly<Record<NoSessionReason, number | null>>;
  readonly backends: {
    /** The most requests of users that one backend had at once, as each backend counted it since its last boot. Null: no
     * backend counted it. */
    readonly atOnceMax: number | null;
    /** Requests of logged-in users that a backend served although its list of revoked sessions was older than the mode
     * states. An ended session may have been among them. Null: no backend counted it. */
    readonly cutOff: number | null;
  };
  readonly stores: {
    /** Entries that the store servers evicted to free memory. Null: no store server counts them. */
    readonly evictions: number | null;
  };
  /** Time from the last healing to the recovery. Null unless `recovery` is "recovered". */
  readonly recoveryMs: number | null;
  readonly recovery: RecoveryState;
  /** The measures that stayed outside the band of the baseline, in words. Absent unless `recovery` is "not
   * recovered". */
  readonly recoveryProblem?: string;
  /** One finding for each fault that struck, in the order of the history. */
  readonly faults: readonly FaultFinding[];
  readonly members: MemberFindings;
  /** Good answers to users, by the version of the backend. Empty: no answer named a version. */
  readonly versions: Readonly<Record<string, number>>;
  /** The backends that were added to a proxy that chooses by a hash. Null: none was added, or it does not. */
  readonly hashMoves: HashMoves | null;
  /** Operations of the plan that were sent. */
  readonly sentOfPlan: number;
  readonly evidence: Evidence;
  /** How long after its acknowledged logout an old session was still accepted somewhere: one value for each logout, 0
   * where it was refused at once. Null unless old sessions were tried more than once (`users.replay-every`). */
  readonly revocationLagMs: Percentiles;
  readonly pauses: {
    /** The longest time for which a session was unused and then still accepted. */
    readonly longestSurvivedMs: number;
  };
  readonly incidents: readonly Incident[];
}

/** How much could be lost, and how much of it was read again. Too little of either proves nothing (`doubts.ts`). */
export interface Evidence {
  /** Users with an acknowledged login. */
  readonly loggedIn: number;
  /** Adds that were sent. */
  readonly adds: number;
  /** Writes acknowledged before the last healing, by users whose session was to last beyond it. */
  readonly atRisk: number;
  /** The part of `atRisk` that a read after the last healing showed or missed. */
  readonly atRiskVerified: number;
}

export type NoSessionReason = 'absent' | 'malformed' | 'unknown' | 'expired' | 'forged' | 'revoked';

/** Percentiles in milliseconds. Null: nothing was measured. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** `unknown`: the load after the healing lasted less than two seconds, or nothing worked before the fault.
 * `none`: no fault was confirmed. */
export type RecoveryState = 'recovered' | 'not recovered' | 'unknown' | 'none';

/** The effect of one fault on users. */
export interface FaultFinding {
  readonly id: string;
  /** Null: the fault was not confirmed, or the history does not name an expected effect. */
  readonly effect: EffectSeen | null;
  readonly exposed: number;
  /** Time from the healing until everything was as in the baseline again. It must stay so until the next fault or the
   * end of the load. */
  readonly recoveryMs: number | null;
  readonly recovery: RecoveryState;
}

/** The effect counts as seen if `seen` is above 0. `text` is a sentence with both numbers. */
export interface EffectSeen {
  readonly seen: number;
  readonly of: number;
  readonly text: string;
}

export interface MemberFindings {
  /** Good answers to users, by member: backends by name, proxies where there are several. */
  readonly answered: Readonly<Record<string, number>>;
  /** Backends that ran at the end of the run, but got no requests from the proxy. */
  readonly ejectedAtEnd: readonly string[];
  /** No proxy tells which backends it ejects, so that an empty list says nothing. */
  readonly ejectionsUnseen?: true;
  /** Backends that were struck and healed, and then answered no user although new users without a binding arrived. */
  readonly idleAfterHealing: readonly string[];
  /** Members that did not come back when a fault was healed. */
  readonly notBack: readonly string[];
}

export type IncidentKind =
  | 'lost'
  | 'stale'
  | 'phantom'
  | 'failed-visible'
  | 'duplicated'
  | 'resurrected'
  | 'logged-out'
  | 'identity-swapped'
  | 'logout-not-honoured'
  | 'session-kept';

/** The shape of a loss hints at its cause. Writes that one session lost together share it. */
export type LossShape = 'suffix' | 'reset' | 'hole' | 'comes-back';

export interface Incident {
  readonly kind: IncidentKind;
  readonly user: string;
  readonly session: number;
  readonly token?: string;
  /** When the write, login or logout that should have lasted was acknowledged. */
  readonly sinceMs: number;
  /** When the user could first see that something was wrong. */
  readonly seenMs: number;
  /** Ids of the operations that prove it: the one at `sinceMs`, then the one at `seenMs`. */
  readonly operations: readonly number[];
  /** The backend that acknowledged it, and the backend whose answer contradicts it. */
  readonly ackBackend?: string;
  readonly seenBackend?: string;
  readonly shape?: LossShape;
  readonly loggedOut?: 'hard' | 'silent-reset' | 'flicker';
  /** How long the session was unused before it was refused. Absent for a silent reset. */
  readonly pauseMs?: number;
  /** Ids of the faults that struck something that the lost data depended on, between `sinceMs` and `seenMs`. Empty: the
   * incident is unexplained. Absent when no fault struck. */
  readonly candidates?: readonly string[];
  /** The candidate, when there is exactly one. */
  readonly fault?: string;
}

type Counts<T> = { -readonly [K in keyof T]: T[K] };

/** Counts of users that need all operations of a user. */
type SeenOfFaults = 'sawBothVersions' | 'wentBack' | 'present' | 'moved';

/** Running counts of the findings over all users. */
export interface Tally {
  readonly users: Counts<Omit<Findings['users'], 'exposed' | 'loggedOutUnexposed' | SeenOfFaults>>;
  readonly exposure: Record<'exposed' | 'loggedOutUnexposed' | SeenOfFaults, number>;
  readonly writes: Counts<Omit<Findings['writes'], 'unexplained'>>;
  readonly guarantees: Counts<Findings['guarantees']>;
  readonly requests: Counts<Pick<Findings['requests'], 'ok' | 'failed' | 'unknown' | 'bad'>> & { ofPlan: number };
  readonly evidence: Counts<Findings['evidence']>;
  readonly pauses: { longestSurvivedMs: number };
  /** See `Findings.revocationLagMs`. */
  readonly revocationLagsMs: number[];
  readonly incidents: Incident[];
}

export function newTally(): Tally {
  return {
    users: {
      total: 0,
      unverified: 0,
      loggedOut: 0,
      identitySwapped: 0,
      loggedOutHard: 0,
      silentlyReset: 0,
      flickered: 0,
      logoutNotHonoured: 0,
      sessionKept: 0,
    },
    exposure: { exposed: 0, loggedOutUnexposed: 0, sawBothVersions: 0, wentBack: 0, present: 0, moved: 0 },
    writes: {
      acknowledged: 0,
      lost: 0,
      missing: 0,
      unknown: 0,
      unverified: 0,
      duplicated: 0,
      phantom: 0,
      resurrected: 0,
      stale: 0,
      recovered: 0,
      failedVisible: 0,
    },
    guarantees: { readYourWrites: 0, monotonicReads: 0, monotonicWrites: 0, writesFollowReads: 0 },
    requests: { ok: 0, failed: 0, unknown: 0, bad: 0, ofPlan: 0 },
    evidence: { loggedIn: 0, adds: 0, atRisk: 0, atRiskVerified: 0 },
    pauses: { longestSurvivedMs: 0 },
    revocationLagsMs: [],
    incidents: [],
  };
}

/**
 * Builds an incident from the two operations that prove it. `since` acknowledged what should have lasted; `seen` shows
 * that it did not last. Without `since` (the user never added the token), `seen` stands for both.
 */
export function incident(
  kind: IncidentKind,
  since: Operation | undefined,
  seen: Operation,
  more: Partial<Incident> = {},
): Incident {
  return {
    kind,
    user: seen.user,
    session: (since ?? seen).session,
    sinceMs: (since ?? seen).doneMs,
    seenMs: seen.doneMs,
    operations: since === undefined ? [seen.id] : [since.id, seen.id],
    ...(since?.backend !== undefined && { ackBackend: since.backend }),
    ...(seen.backend !== undefined && { seenBackend: seen.backend }),
    ...more,
  };
}

/** Counts that can be added up: numbers, lists, sets, and objects and maps of them. */
export type NestedCounts = { [name: string]: Countable };
type Countable = number | unknown[] | Set<unknown> | Map<string, number> | NestedCounts;

/** Adds the counts of another thread to `into`. Both objects have the same fields. */
export function addCounts(into: NestedCounts, from: NestedCounts): void {
  for (const [name, counted] of Object.entries(from)) {
    const own = into[name];
    if (typeof own === 'number' && typeof counted === 'number') into[name] = own + counted;
    else if (Array.isArray(own) && Array.isArray(counted)) for (const each of counted) own.push(each);
    else if (own instanceof Set && counted instanceof Set) for (const each of counted) own.add(each);
    else if (own instanceof Map && counted instanceof Map) addEach(own, counted);
    else if (isCounts(own) && isCounts(counted)) addCounts(own, counted);
    else throw new TypeError(`${name} cannot be added up`);
  }
}

function addEach(into: Map<string, number>, from: ReadonlyMap<string, number>): void {
  for (const [name, count] of from) into.set(name, (into.get(name) ?? 0) + count);
}

function isCounts(counted: Countable | undefined): counted is NestedCounts {
  return typeof counted === 'object' && !(Array.isArray(counted) || counted instanceof Set || counted instanceof Map);
}
