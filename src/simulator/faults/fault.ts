import type { Cluster } from '../cluster/cluster.js';
import type { TargetKind, TargetSystem } from '../cluster/targets.js';
import type { ExpectedEffect } from '../history/records.js';
import { type Random, randomStream } from '../plan/random.js';
import { type Options, type OptionsRead, readerOf } from '../scenario/values.js';

/** One fault. Implementations: `kinds/registry.ts`. A fault that is not confirmed makes the run inconclusive. */
export interface Fault {
  /** Returns whether `confirm` already succeeds before `inject`: then it proves nothing. Bounded in time. */
  confirmedBefore?(cluster: Cluster): Promise<boolean>;
  /** Injects the fault. Resolves as soon as that is done and does not check whether it worked. */
  inject(cluster: Cluster): Promise<void>;
  /** Checks the system itself, not the result of `inject`. Returns the evidence in words when the system is broken as
   * intended, and false otherwise. Bounded in time. */
  confirm(cluster: Cluster): Promise<string | false>;
  /** Reads the counter that the effect of this fault names. The counter never falls, also while the fault lasts.
   * Resolves with undefined, or rejects, when the counter cannot be read. Bounded in time. */
  measure?(cluster: Cluster): Promise<number | undefined>;
  /** Undoes the fault and waits until the system has recovered. Rejects with `MemberNotBack` when a member does not
   * come back in time. Idempotent, and safe when `inject` never ran or failed half-way. */
  heal(cluster: Cluster): Promise<void>;
}

export interface FaultEntry {
  /** One line for the table in docs/scenarios.md. */
  readonly summary: string;
  /** The kinds of targets that it can break. */
  readonly targets: readonly TargetKind[];
  /** The keys that a scenario file may set beside `do`, for the schema. */
  readonly options: Options;
  /** Returns the effect that users must notice. Without it the fault proves nothing, even if it was confirmed. `target`
   * is one that `targetIn` has resolved; `options` are as written. */
  effect(target: string, options?: Readonly<Record<string, unknown>>): ExpectedEffect;
  /** The effect in one line, for the documentation. */
  readonly effectInWords: string;
  /** Says what the fault needs and the system lacks; undefined when it lacks nothing. `target` is a member or a link;
   * `options` are as written. */
  explainMissing?(target: string, system: TargetSystem, options: unknown): string | undefined;
  /** Set when the toy shop makes the fault itself. It has the switches for that only with SHOP_LAB. */
  readonly bySwitch?: true;
  /** Creates the fault. `options` are as written; `random` makes its random choices. */
  make(target: string, options?: Readonly<Record<string, unknown>>, random?: Random): Fault;
}

/** Builds the entry of a fault with options. `options` are schemas of `scenario/values.ts`. The functions get the
 * parsed values. */
export function defineFault<Own extends Options>(fault: {
  readonly summary: string;
  readonly targets: readonly TargetKind[];
  readonly options: Own;
  effect(target: string, options: OptionsRead<Own>): ExpectedEffect;
  readonly effectInWords: string;
  explainMissing?(target: string, system: TargetSystem, options: OptionsRead<Own>): string | undefined;
  readonly bySwitch?: true;
  make(target: string, options: OptionsRead<Own>, random: Random): Fault;
}): FaultEntry {
  const read = readerOf(fault.options);
  const { effect, explainMissing, make, ...rest } = fault;
  return {
    ...rest,
    effect: (target, options = {}) => effect(target, read(options)),
    explainMissing: (target, system, options) => explainMissing?.(target, system, read(options)),
    make: (target, options = {}, random = randomStream(1, target)) => make(target, read(options), random),
  };
}
