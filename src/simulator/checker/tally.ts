import type { Operation } from '../history/records.js';
import type { Findings, Incident, IncidentKind } from './findings.js';

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
