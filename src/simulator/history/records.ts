/**
 * The history of a run: what every simulated user did, and the result of it. It is recorded once. The checker, the
 * expectations and every report are computed from it. All times are milliseconds since the start of the run.
 */

/**
 * Outcome of an operation. `ok`: the answer was complete, and as the journey expects it. `fail`: certainly not applied.
 * A read that is not ok is `fail`, too. `unknown`: it may or may not have been applied, now or later.
 */
export type OperationOutcome = 'ok' | 'fail' | 'unknown';

export type OperationKind =
  | 'login'
  /** Adds `token` to the cart, quantity one. */
  | 'add'
  /** Removes `token` from the cart. It is also ok when the token was not there. */
  | 'remove'
  /** Reads the whole cart: `items`. */
  | 'read'
  /** Asks who is logged in. */
  | 'whoami'
  | 'logout'
  /** Reads with the cookies from before an acknowledged logout. It is sent after the revocation lag of the mode, and
   * runs in parallel with whatever the user does then. Ok when the answer is anonymous. */
  | 'replay';

export interface Operation {
  readonly type: 'operation';
  readonly id: number;
  /** Name of the simulated user, with which it logs in. */
  readonly user: string;
  readonly kind: OperationKind;
  /** Number of the acknowledged login that this operation depends on: 0 before the first login, 1 after it. A login has
   * the number that it gets if it succeeds. A replay has the number of its logout. */
  readonly session: number;
  /** The unique item of an `add` or `remove`. */
  readonly token?: string;
  /** When the operation was planned, sent and done. sent >= planned. */
  readonly plannedMs: number;
  readonly sentMs: number;
  readonly doneMs: number;
  readonly outcome: OperationOutcome;
  /** HTTP status. Absent when no answer began. */
  readonly status?: number;
  /** Why the outcome is not ok: an error code (`ECONNREFUSED`, `timeout`) or a short sentence. */
  readonly error?: string;
  /** The user that the answer named. Null: it was an anonymous answer. Absent: the answer did not say. */
  readonly identity?: string | null;
  /** The cart of an ok `read`, or the cart that a `replay` showed: each token as often as its quantity says. It is a
   * list, because the checker needs several times as long for a million maps with different keys. */
  readonly items?: readonly string[];
  /** The backend that answered, and which boot of it, according to its headers. */
  readonly backend?: string;
  readonly incarnation?: string;
  /** The version of the backend that answered, according to its header. */
  readonly version?: string;
  /** The proxy that the request went through. Recorded only when the system has several. */
  readonly proxy?: string;
  /** Login only: id of the key that signed or sealed the session token, if the token shows it. */
  readonly key?: string;
  /** Login only: the login ended ok, and the browser has the same session cookie after it as before it. */
  readonly keptId?: true;
  /** The answer replaced the session cookie of a logged-in browser: the app rotated or refreshed the session. Recorded
   * where the name of that cookie is known. */
  readonly renewed?: true;
  /** The read-back after quiescence. */
  readonly final?: true;
  /** A login that is not in the plan: the session before it was lost, or the login before it did not end ok. */
  readonly extra?: true;
}

type Optional =
  | 'status'
  | 'error'
  | 'identity'
  | 'backend'
  | 'incarnation'
  | 'version'
  | 'proxy'
  | 'key'
  | 'final'
  | 'extra'
  | 'keptId'
  | 'renewed';

/** An operation without its token and its cart, which is cheap to read in sequence. Do not copy it by spreading. */
export type OperationOutline = Omit<Operation, 'token' | 'items' | Optional> & {
  readonly [Field in Optional]?: Operation[Field] | undefined;
};

/**
 * The operations of a run, in the order in which they ended. A list is the simplest form. A history that is too long
 * for the heap makes each operation when it is needed (`open-history.ts`).
 */
export interface Operations extends Iterable<Operation> {
  readonly length: number;
  /** Present when it is cheaper than iterating over the operations. See `outlinesOf`. */
  outlines?(): Iterable<OperationOutline>;
  /** Present when it is cheaper than `outlines`. Each outline is valid only until `see` returns. See `eachOutline`. */
  eachOutline?(see: (outline: OperationOutline) => void): void;
  /** Present when the operations are kept by user. Yields the operations of one user at a time, in order. See
   * `byUser`. */
  usersInTurn?(): Iterable<Operation[]>;
}

/** Returns the operations without tokens and carts, for callers that need no more. */
export function outlinesOf(operations: Operations): Iterable<OperationOutline> {
  return operations.outlines?.() ?? operations;
}

/** Passes each outline to `see`, which must not keep it. For long histories it is one object that moves from row to
 * row. */
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
 * The effect of a fault that users must notice, or the verdict means nothing. The fault declares it next to its
 * confirmation. The run records it, and the checker looks for it in the history (`checker/effects.ts`). `member` is a
 * backend or a proxy. "During the fault" means between confirmation and healing.
 */
export type ExpectedEffect =
  /** `member` answered users before the fault, and none during it. `link`: only requests through this proxy count.
   * `whileDown`: the process restarts during the fault, and only times count at which it was dead (`MemberRecord`).
   * `orConfirmed`: where no answer names its member, it is enough that the member was alive before and not after. */
  | {
      readonly kind: 'silent';
      readonly member: string;
      readonly link?: string;
      readonly whileDown?: true;
      readonly orConfirmed?: true;
    }
  /** `member` answered users during the fault. */
  | { readonly kind: 'answered'; readonly member: string }
  /** An answer of `member` during the fault took at least `atLeastMs`; without it, longer than the band of the
   * baseline. */
  | { readonly kind: 'slow'; readonly member: string; readonly atLeastMs?: number }
  /** An answer of `member` was an error, was cut off, or was repaired by a retry (`FaultRecord.measured`). */
  | { readonly kind: 'broken'; readonly member: string }
  /** This version answered users between the request of the fault and the start of its healing. */
  | { readonly kind: 'version'; readonly version: string }
  /** A session of the old key was used after the rotation, and another session was made under the new key. */
  | { readonly kind: 'keys' }
  /** `store` was needed during the fault: its own counter grew (`FaultRecord.measured`), or an operation failed or was
   * slow. `from`: only operations that this backend answered count. */
  | { readonly kind: 'asked'; readonly store: string; readonly from?: string }
  /** The link lost or held back bytes during the fault (`FaultRecord.measured`). */
  | { readonly kind: 'link-bytes'; readonly link: string }
  /** `confirm` failed before `inject` and succeeded after it (`FaultRecord.wasConfirmedBefore`). */
  | { readonly kind: 'confirm-changed' };

export interface FaultRecord {
  readonly type: 'fault';
  readonly id: string;
  /** A key of the fault registry. */
  readonly fault: string;
  readonly target: string;
  /** The member that the target stood for when the fault struck, by the name that operations and members have. Absent:
   * the target itself. */
  readonly struck?: string;
  /** The options of the fault, as written beside `do`. Absent: it had none, or an earlier version recorded it. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly requestedMs: number;
  /** Null: never confirmed, so the run is inconclusive. */
  readonly confirmedMs: number | null;
  /** When healing began. Null: it did not begin before the end. Absent in histories of version 0.1. */
  readonly healRequestedMs?: number | null;
  /** Null: not healed before the end. */
  readonly healedMs: number | null;
  /** Absent in histories of version 0.1: nothing then shows that the fault had an effect. */
  readonly expects?: ExpectedEffect;
  /** How much the counter that `expects` names grew between confirmation and the start of healing. */
  readonly measured?: number;
  /** Whether the confirmation had succeeded before `inject` ran. Recorded only for `exec` and for external members. */
  readonly wasConfirmedBefore?: boolean;
  /** Members that did not come back after the fault was healed. */
  readonly notBack?: readonly NotBack[];
  /** The observation that confirmed it. */
  readonly evidence?: string;
  /** Why it could not be confirmed or healed. */
  readonly problem?: string;
}

export interface NotBack {
  readonly member: string;
  /** How it ended, or that it did not answer, with its last lines of output. */
  readonly why: string;
}

/** A change of the state of a member. The report draws it in the strips. */
export interface MemberRecord {
  readonly type: 'member';
  readonly member: string;
  readonly atMs: number;
  /** `ejected`: it runs, but the proxy sends it no requests. */
  readonly state: 'up' | 'draining' | 'ejected' | 'stopped' | 'dead';
  /** Its role in a replicated store from then on: `primary` or `replica`. */
  readonly role?: string;
}

/** The lab's own health: how late the driver was by itself, how long all processors were busy, and what the driver had
 * to drop. */
export interface LabRecord {
  readonly type: 'lab';
  /** How late the driver sent operations that were not waiting for an earlier one. */
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** The longest continuous time in which no processor was idle. Absent when it was not measured. */
  readonly busyMs?: number;
  /** Planned operations that were never sent: the user was still waiting for earlier ones, or it skipped a logout
   * because it could not see its cart. */
  readonly dropped: number;
  /** When each dropped operation was planned, in the order of dropping. */
  readonly droppedMs?: readonly number[];
  /** How long the user had waited when each operation was dropped, in the order of `droppedMs`. */
  readonly droppedWaitMs?: readonly number[];
  /** Why a planned fault did not strike, by the id of the fault. */
  readonly neverStruck?: Readonly<Record<string, string>>;
  /** The counts of each member since its last boot, asked for at the end of the run. A backend counts `opened`,
   * `absent`, `unknown`, `forged` …; a store counts `evictions`. A member that did not answer is absent. */
  readonly counts?: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** An expectation as written in a scenario. If it stands under `warn`, it is only reported; the verdict ignores it. */
export type ExpectationLine = string | { readonly warn: string };

/** The parts of the system under test that a verdict depends on. */
export interface SystemRecord {
  /** Every backend, proxy and store member, including spare ones. Empty for a system that was already running. */
  readonly members: readonly { readonly name: string; readonly role: 'backend' | 'proxy' | 'store' }[];
  /** Where the session data is kept: in the memory of one backend, in a store, or in the browser. */
  readonly keeps: 'backend' | 'store' | 'browser';
  /** Store servers that the mode uses: `redis`. A member of one is called `redis` or `redis.<member>`. */
  readonly stores: readonly string[];
  /** The policy of the proxy, if it chooses by a hash. */
  readonly policy?: string;
  /** Whether the proxy binds a browser to a backend. */
  readonly affinity: boolean;
  /** The name of the external proxy. Absent: the proxy of Holdfast. */
  readonly proxy?: string;
  /** The text after `--proxy`. Absent: the scenario file holds the proxy. */
  readonly proxyAsked?: string;
  /** No proxy tells which backends it ejects. Absent: it does, or an earlier version recorded the run. */
  readonly ejectionsUnseen?: true;
}

/** The first line of a run in a history file. */
export interface RunHeader {
  readonly type: 'run';
  readonly schema: 1;
  readonly scenario: string;
  readonly why: string;
  readonly mode: string;
  readonly seed: number;
  /** How long after its acknowledgement a logout may be unknown in parts of the system. Absent: not at all. */
  readonly revocationLagMs?: number;
  /** Part of every token of this run. The checker ignores items with the nonce of another run. */
  readonly nonce?: string;
  /** The system under test. Absent in histories of version 0.1. */
  readonly system?: SystemRecord;
  /** Number of planned operations. */
  readonly planned: number;
  /** Ids of the planned faults. A fault without a `FaultRecord` never struck. */
  readonly faults: readonly string[];
  /** Lines of `expect.any` and of `expect.<mode>`, as written. */
  readonly expectations: readonly ExpectationLine[];
  /** The exact versions of Holdfast, Node and the store, to repeat the run. */
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601, when the run began. */
  readonly startedAt: string;
  /** A session of the live lab. It was struck by hand, expects nothing, and may end at any moment: it has no verdict. */
  readonly live?: true;
}

/** One whole run, as a history file holds it. The checker and the reports get nothing else. */
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

/** Returns the latest time in a run. 0: it is empty. */
export function lastMomentOf({ operations, phases, members, faults }: RunRecord): number {
  let lastMs = 0;
  const see = (ms: number) => {
    if (ms > lastMs) lastMs = ms;
  };
  eachOutline(operations, ({ doneMs }) => see(doneMs));
  for (const { endMs } of phases) see(endMs);
  for (const { atMs } of members) see(atMs);
  for (const { requestedMs, healedMs } of faults) see(healedMs ?? requestedMs);
  return lastMs;
}
