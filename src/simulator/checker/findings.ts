/** What the checker found in one history. Counts of the JSON contract, and an incident for each thing that is wrong. */
export interface Findings {
  readonly users: {
    readonly total: number;
    /** Users bound to, or last answered by, what a fault struck at that moment. Null: no fault struck. */
    readonly exposed: number | null;
    /** Users with an acknowledged login whose cart no read verified after the last healing. */
    readonly unverified: number;
    /** Users who lost a session they should have had: hard, flicker or silent reset. */
    readonly loggedOut: number;
    /** Part of `loggedOut`: users whom no fault had exposed. 0 where no fault struck. */
    readonly loggedOutUnexposed: number;
    readonly identitySwapped: number;
    /** Parts of `loggedOut`: a user counts once, under the worst that happened (hard, silent reset, flicker). */
    readonly loggedOutHard: number;
    readonly silentlyReset: number;
    readonly flickered: number;
    readonly logoutNotHonoured: number;
    /** Users whose session cookie was the same before and after a login: an attacker that had planted it is logged in, too. */
    readonly sessionKept: number;
  };
  readonly writes: {
    readonly acknowledged: number;
    readonly lost: number;
    /** Part of `lost`: no fault that struck what the data depended on explains it. 0 where no fault struck. */
    readonly unexplained: number;
    readonly unknown: number;
    /** Acknowledged, and no read that began after the last healing could have missed it. */
    readonly unverified: number;
    readonly duplicated: number;
    readonly phantom: number;
    readonly resurrected: number;
    readonly stale: number;
    readonly recovered: number;
    readonly failedVisible: number;
  };
  readonly guarantees: {
    /** Reads that violate the session guarantees (Terry et al. 1994): a read counts once under each that it breaks. */
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
    /** The error budget that was spent: planned, and without a good answer in time (failed, unknown or dropped). */
    readonly bad: number;
  };
  /** Response time: done - planned, of what was answered. What timed out or was dropped counts with the time that its user
   * had waited; what was refused or broken off is a failure and has no time. */
  readonly latencyMs: Percentiles;
  /** Service time: done - sent. */
  readonly serviceMs: Percentiles;
  /** Why requests had no session, as the backends counted it since the last boot of each; null where none of them said. */
  readonly noSession: Readonly<Record<NoSessionReason, number | null>>;
  readonly stores: {
    /** What the store servers threw out to make room; null where none of them counts it. */
    readonly evictions: number | null;
  };
  /** After the last healing; null unless `recovery` is "recovered". */
  readonly recoveryMs: number | null;
  readonly recovery: RecoveryState;
  /** What was not back in the band of the baseline, in words; absent unless `recovery` is "not recovered". */
  readonly recoveryProblem?: string;
  /** One for each fault that struck, in the order of the history. */
  readonly faults: readonly FaultFinding[];
  readonly members: MemberFindings;
  /** Operations of the plan that were sent. */
  readonly sentOfPlan: number;
  readonly evidence: Evidence;
  readonly pauses: {
    /** The longest time that a session was not used and accepted afterwards. */
    readonly longestSurvivedMs: number;
  };
  readonly incidents: readonly Incident[];
}

/** How much there was to lose, and how much of it was looked at again: too little of it proves nothing (`doubts.ts`). */
export interface Evidence {
  /** Users with an acknowledged login. */
  readonly loggedIn: number;
  /** Adds that were sent. */
  readonly adds: number;
  /** Writes acknowledged before the last healing, in a visit that went on after it. */
  readonly atRisk: number;
  /** Those of them that a read from after the last healing showed or missed. */
  readonly atRiskVerified: number;
}

export type NoSessionReason = 'absent' | 'malformed' | 'unknown' | 'expired' | 'forged' | 'revoked';

/** Null: there was nothing to take it of. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** `unknown`: less than two seconds of load after the healing, or nothing worked before. `none`: no fault was confirmed. */
export type RecoveryState = 'recovered' | 'not recovered' | 'unknown' | 'none';

/** What users noticed of one fault. */
export interface FaultFinding {
  readonly id: string;
  /** Null where the fault was not confirmed, or the history does not say what was to be seen. */
  readonly effect: EffectSeen | null;
  readonly exposed: number;
  /** From its healing to the moment from which all was as in the baseline, until the next fault or the end of the load. */
  readonly recoveryMs: number | null;
  readonly recovery: RecoveryState;
}

/** `seen` of `of` is enough if it is above 0. `text` names both, in a sentence. */
export interface EffectSeen {
  readonly seen: number;
  readonly of: number;
  readonly text: string;
}

export interface MemberFindings {
  /** Good answers to users, by member: backends by name, proxies where there are several. */
  readonly answered: Readonly<Record<string, number>>;
  /** Backends that lived and that the proxy sent nothing when the run ended. */
  readonly ejectedAtEnd: readonly string[];
  /** Backends that were struck and healed, and answered no user afterwards although unbound users arrived. */
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

/** The shape of a loss names its likely cause (shared by the writes that one session lost together). */
export type LossShape = 'suffix' | 'reset' | 'hole' | 'comes-back';

export interface Incident {
  readonly kind: IncidentKind;
  readonly user: string;
  readonly session: number;
  readonly token?: string;
  /** When the thing that should have lasted was acknowledged (a write, a login, a logout). */
  readonly sinceMs: number;
  /** When the user could first see that something is wrong. */
  readonly seenMs: number;
  /** The operations that prove it: since, seen. */
  readonly operations: readonly number[];
  /** Which backend had acknowledged it, and which one answered otherwise. */
  readonly ackBackend?: string;
  readonly seenBackend?: string;
  readonly shape?: LossShape;
  readonly loggedOut?: 'hard' | 'silent-reset' | 'flicker';
  /** How long the session had not been used before it was refused. Not of a silent reset. */
  readonly pauseMs?: number;
  /** Ids of the faults that struck something that the lost data depended on, between `sinceMs` and `seenMs`. Empty: it is
   * unexplained. Absent where no fault struck. */
  readonly candidates?: readonly string[];
  /** The only candidate. */
  readonly fault?: string;
}
