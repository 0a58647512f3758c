/** What the checker found in one history. Counts of the JSON contract, and an incident for each thing that is wrong. */
export interface Findings {
  readonly users: {
    readonly total: number;
    /** Users who lost a session they should have had: hard, flicker or silent reset. */
    readonly loggedOut: number;
    readonly identitySwapped: number;
    /** Parts of `loggedOut`: a user counts once, under the worst that happened (hard, silent reset, flicker). */
    readonly loggedOutHard: number;
    readonly silentlyReset: number;
    readonly flickered: number;
    readonly logoutNotHonoured: number;
    /** Users whose session cookie was the same before and after a login: whoever had planted it is logged in, too. */
    readonly sessionKept: number;
  };
  readonly writes: {
    readonly acknowledged: number;
    readonly lost: number;
    readonly unknown: number;
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
  /** Response time: done - planned. Timeouts count at their limit. */
  readonly latencyMs: Percentiles;
  /** Service time: done - sent. */
  readonly serviceMs: Percentiles;
  /** Why requests had no session, as the backends counted it since the last boot of each; null where none of them said. */
  readonly noSession: Readonly<Record<NoSessionReason, number | null>>;
  readonly stores: {
    /** What the store servers threw out to make room; null where none of them counts it. */
    readonly evictions: number | null;
  };
  /** From the first confirmed fault; null when there was none, or the system did not recover (then `recovered` is false). */
  readonly recoveryMs: number | null;
  readonly recovered: boolean;
  readonly incidents: readonly Incident[];
}

export type NoSessionReason = 'absent' | 'malformed' | 'unknown' | 'expired' | 'forged' | 'revoked';

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
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
  /** Id of the latest confirmed fault that was requested before `seenMs` and not healed long before it. */
  readonly fault?: string;
}
