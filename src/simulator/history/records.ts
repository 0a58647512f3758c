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
  /** Cart of an ok `read`, or that a `replay` was shown: each token as often as its quantity says. A list, since a million maps, each with other keys,
   * take the checker several times as long to go through. */
  readonly items?: readonly string[];
  /** Which backend answered, and which boot of it, as its headers say. */
  readonly backend?: string;
  readonly incarnation?: string;
  /** The proxy that the request went through; recorded only where the system has several. */
  readonly proxy?: string;
  /** Login only: id of the key that signed or sealed the session token, where the token shows it. */
  readonly key?: string;
  /** Of a login that ended ok: the browser came with a session cookie from before it, and holds the same one after it: kept, or not replaced. */
  readonly keptId?: true;
  /** The read-back after quiescence. */
  readonly final?: true;
  /** A login that the plan does not hold: the one before it was lost, or did not end ok. */
  readonly extra?: true;
}

type Optional =
  | 'status'
  | 'error'
  | 'identity'
  | 'backend'
  | 'incarnation'
  | 'proxy'
  | 'key'
  | 'final'
  | 'extra'
  | 'keptId';

/** An operation without its token and its cart: cheap to read one after the other. Not to be copied by spreading. */
export type OperationOutline = Omit<Operation, 'token' | 'items' | Optional> & {
  readonly [Field in Optional]?: Operation[Field] | undefined;
};

/**
 * The operations of a run, in the order in which they ended. A list is the simplest form. A history that is too long for
 * the heap has its own form, which makes each operation when it is asked for (`joined-tables.ts`).
 */
export interface Operations extends Iterable<Operation> {
  readonly length: number;
  /** Present where it is cheaper than the operations themselves. See `outlinesOf`. */
  outlines?(): Iterable<OperationOutline>;
  /** Present where it is cheaper than `outlines`: each outline is valid only until `see` returns. See `eachOutline`. */
  eachOutline?(see: (outline: OperationOutline) => void): void;
  /** Present where the operations are kept by user: those of one user at a time, in their order. See `byUser`. */
  usersInTurn?(): Iterable<Operation[]>;
}

/** Returns the operations without tokens and carts, where nothing else is needed. */
export function outlinesOf(operations: Operations): Iterable<OperationOutline> {
  return operations.outlines?.() ?? operations;
}

/** Shows each outline to `see`, which must not keep it. Long histories show one object that moves from row to row. */
export function eachOutline(operations: Operations, see: (outline: OperationOutline) => void): void {
  if (operations.eachOutline !== undefined) operations.eachOutline(see);
  else for (const outline of outlinesOf(operations)) see(outline);
}

export const phaseNames = ['warmup', 'baseline', 'faults', 'recovery', 'quiesce', 'readback'] as const;
export type PhaseName = (typeof phaseNames)[number];

export interface PhaseRecord {
  readonly type: 'phase';
  readonly phase: PhaseName;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * What users must notice of a fault for its verdict to mean anything. Declared by the fault beside its confirmation,
 * recorded with the run, and looked up in the history by the checker (`checker/effects.ts`). `member` is a backend or a
 * proxy. "Between" means between confirmation and healing.
 */
export type ExpectedEffect =
  /** `member` answered users before, and answered none between. `link`: only what went through this proxy counts.
   * `whileDown`: it comes up in between, and only the times count at which its process was dead (`MemberRecord`). */
  | { readonly kind: 'silent'; readonly member: string; readonly link?: string; readonly whileDown?: true }
  /** `member` answered users between. */
  | { readonly kind: 'answered'; readonly member: string }
  /** An answer of `member` took at least `atLeastMs` between; without it, longer than the band of the baseline. */
  | { readonly kind: 'slow'; readonly member: string; readonly atLeastMs?: number }
  /** An answer of `member` was an error, was broken off, or was repaired by a retry (`FaultRecord.measured`). */
  | { readonly kind: 'broken'; readonly member: string }
  /** A session made under the old key was used after the rotation, and a session was made under the new key. */
  | { readonly kind: 'keys' }
  /** `store` was asked between: its own counter grew (`FaultRecord.measured`), or an operation failed or was slow.
   * `from`: only operations that this backend answered count. */
  | { readonly kind: 'asked'; readonly store: string; readonly from?: string }
  /** The link lost or held back bytes between (`FaultRecord.measured`). */
  | { readonly kind: 'link-bytes'; readonly link: string }
  /** `confirm` failed before `inject` and succeeded after it (`FaultRecord.wasConfirmedBefore`). */
  | { readonly kind: 'confirm-changed' };

export interface FaultRecord {
  readonly type: 'fault';
  readonly id: string;
  /** A key of the fault registry. */
  readonly fault: string;
  readonly target: string;
  readonly requestedMs: number;
  /** Null: never confirmed, and the run is inconclusive. */
  readonly confirmedMs: number | null;
  /** When healing began. Null: not before the end. Absent in histories of version 0.1. */
  readonly healRequestedMs?: number | null;
  /** Null: not healed before the end. */
  readonly healedMs: number | null;
  /** Absent in histories of version 0.1: then nothing shows that the fault had an effect. */
  readonly expects?: ExpectedEffect;
  /** How far the counter that `expects` names grew between confirmation and the start of healing. */
  readonly measured?: number;
  /** `exec` only: `confirm` had succeeded before `inject` ran. */
  readonly wasConfirmedBefore?: boolean;
  /** Members that did not come back when the fault was healed, with how it ended and its last lines of output. */
  readonly notBack?: readonly NotBack[];
  /** What was seen that confirmed it. */
  readonly evidence?: string;
  /** Why it could not be confirmed or healed. */
  readonly problem?: string;
}

export interface NotBack {
  readonly member: string;
  /** How it ended or did not answer, with the last lines that it wrote. */
  readonly why: string;
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
  /** How long the user of each of them had waited when it was dropped, in the order of `droppedMs`. */
  readonly droppedWaitMs?: readonly number[];
  /** Why a fault of the plan did not strike, by its id. */
  readonly neverStruck?: Readonly<Record<string, string>>;
  /** What a process counted since its last boot and said when the run was over, by member and by its own names: of a
   * backend `opened`, `absent`, `unknown`, `forged` …, of a store `evictions`. Who did not answer is not there. */
  readonly counts?: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** An expectation as written in a scenario. One under `warn` is reported when it is not met; the verdict ignores it. */
export type ExpectationLine = string | { readonly warn: string };

/** The parts of the system under test that a verdict depends on. */
export interface SystemRecord {
  /** Every backend, proxy and store member, spare ones too. Empty for a system that ran already. */
  readonly members: readonly { readonly name: string; readonly role: 'backend' | 'proxy' | 'store' }[];
  /** Where the session data are kept: in the memory of one backend, in a store, or in the browser. */
  readonly keeps: 'backend' | 'store' | 'browser';
  /** Store servers that the mode uses: `redis`. A member of one is called `redis` or `redis.<member>`. */
  readonly stores: readonly string[];
  /** Whether the proxy binds a browser to a backend. */
  readonly affinity: boolean;
}

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
  /** Part of every token of this run. An item with the nonce of another run is left out of account. */
  readonly nonce?: string;
  /** What the run was made of. Absent in histories of version 0.1. */
  readonly system?: SystemRecord;
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

/** One run, whole: what a history file holds, and all that checker and reports get. */
export interface RunRecord {
  readonly header: RunHeader;
  readonly operations: Operations;
  readonly phases: readonly PhaseRecord[];
  readonly faults: readonly FaultRecord[];
  readonly members: readonly MemberRecord[];
  readonly lab: LabRecord;
}

/** A run whose operations are a list: what `simulate` returns. */
export interface ListedRun extends RunRecord {
  readonly operations: readonly Operation[];
}
