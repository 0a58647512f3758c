/**
 * The history of a run: what every simulated user did and what came of it. It is recorded once; the checker, the
 * expectations and every report are computed from it. All times are milliseconds since the start of the run.
 */

/**
 * `ok`: complete answer, and what the journey expects of it holds. `fail`: certainly not applied (a read that is not
 * ok is `fail` too). `unknown`: it may or may not have been applied, now or later.
 */
export type OperationOutcome = 'ok' | 'fail' | 'unknown';

export type OperationKind =
  | 'login'
  /** Puts `token` into the cart, quantity one. */
  | 'add'
  /** Takes `token` out of the cart; ok as well when it was not there. */
  | 'remove'
  /** Reads the whole cart: `items`. */
  | 'read'
  /** Asks who is logged in. */
  | 'whoami'
  | 'logout'
  /** So long after an acknowledged logout as the mode says that one may still be honoured elsewhere: reads with the
   * cookies from before it, beside whatever the user does meanwhile. Ok when answered as anonymous. */
  | 'replay';

export interface Operation {
  readonly type: 'operation';
  readonly id: number;
  /** The simulated user, also the name it logs in with. */
  readonly user: string;
  readonly kind: OperationKind;
  /** Which acknowledged login this operation goes by: 0 before the first, 1 after it. A login carries the number it
   * will have if it succeeds, a replay that of its logout. */
  readonly session: number;
  /** The unique item of an `add` or `remove`. */
  readonly token?: string;
  /** When the plan wanted it, when it was sent, when it ended. sent >= planned. */
  readonly plannedMs: number;
  readonly sentMs: number;
  readonly doneMs: number;
  readonly outcome: OperationOutcome;
  /** HTTP status, when an answer began. */
  readonly status?: number;
  /** Why it is not ok: an error code (`ECONNREFUSED`, `timeout`) or a short sentence. */
  readonly error?: string;
  /** Whom the answer addressed: a user's name, null for "anonymous", absent when the answer did not say. */
  readonly identity?: string | null;
  /** Cart of an ok `read`: each token as often as its quantity says. A list, since a million maps, each with other keys,
   * take the checker several times as long to go through. */
  readonly items?: readonly string[];
  /** Which backend answered, and which boot of it, as its headers say. */
  readonly backend?: string;
  readonly incarnation?: string;
  /** Of a login that ended ok: the browser came with a session cookie from before it, and holds the same one after it: kept, or not replaced. */
  readonly keptId?: true;
  /** The read-back after quiescence. */
  readonly final?: true;
  /** A login that the plan does not hold: the one before it was lost, or did not end ok. */
  readonly extra?: true;
}

export const phaseNames = ['warmup', 'baseline', 'faults', 'recovery', 'quiesce', 'readback'] as const;
export type PhaseName = (typeof phaseNames)[number];

export interface PhaseRecord {
  readonly type: 'phase';
  readonly phase: PhaseName;
  readonly startMs: number;
  readonly endMs: number;
}

export interface FaultRecord {
  readonly type: 'fault';
  readonly id: string;
  /** A key of the fault registry. */
  readonly fault: string;
  readonly target: string;
  readonly requestedMs: number;
  /** Null: never confirmed, and the run is inconclusive. */
  readonly confirmedMs: number | null;
  /** Null: not healed before the end. */
  readonly healedMs: number | null;
  /** What was seen that confirmed it. */
  readonly evidence?: string;
  /** Why it could not be confirmed or healed. */
  readonly problem?: string;
}

/** An edge in the life of a process: drawn as the strips of the report. */
export interface MemberRecord {
  readonly type: 'member';
  readonly member: string;
  readonly atMs: number;
  /** `ejected`: it lives, and the proxy sends it nothing. */
  readonly state: 'up' | 'draining' | 'ejected' | 'stopped' | 'dead';
  /** What it is among its like from then on: `primary`, `replica`. */
  readonly role?: string;
}

/** The lab's own health: how late the driver sent what nothing but the clock held back, how long the servers had to share
 * processors of which none was idle, and what the driver had to drop. */
export interface LabRecord {
  readonly type: 'lab';
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** The longest time on end. Absent where nobody looked. */
  readonly busyMs?: number;
  /** Operations that the plan wanted and that were never sent: the user was still waiting for earlier ones, or put off a
   * logout because it could not see its cart. */
  readonly dropped: number;
  /** For when each of them was planned, in the order in which they were dropped. */
  readonly droppedMs?: readonly number[];
  /** Why a fault of the plan did not strike, by its id. */
  readonly neverStruck?: Readonly<Record<string, string>>;
  /** What a process counted since its last boot and said when the run was over, by member and by its own names: of a
   * backend `opened`, `absent`, `unknown`, `forged` …, of a store `evictions`. Who did not answer is not there. */
  readonly counts?: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** An expectation as written in a scenario. One under `warn` is reported when it is not met; the verdict ignores it. */
export type ExpectationLine = string | { readonly warn: string };

/** The first line of a run in a history file. */
export interface RunHeader {
  readonly type: 'run';
  readonly schema: 1;
  readonly scenario: string;
  readonly why: string;
  readonly mode: string;
  readonly seed: number;
  /** For so long after its acknowledgement a logout need not be known everywhere. Absent: at once. */
  readonly revocationLagMs?: number;
  /** Operations that the plan holds. */
  readonly planned: number;
  /** Ids of the faults that the plan holds: one without a record of its own never struck. */
  readonly faults: readonly string[];
  /** Lines of `expect.any` and of `expect.<mode>`, as written. */
  readonly expectations: readonly ExpectationLine[];
  /** The exact version of Holdfast, Node and the store: how to repeat it. */
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601, when the run began. */
  readonly startedAt: string;
}

/** One run, whole: what `simulate` returns, what a history file holds, and all that checker and reports get. */
export interface RunRecord {
  readonly header: RunHeader;
  readonly operations: readonly Operation[];
  readonly phases: readonly PhaseRecord[];
  readonly faults: readonly FaultRecord[];
  readonly members: readonly MemberRecord[];
  readonly lab: LabRecord;
}
