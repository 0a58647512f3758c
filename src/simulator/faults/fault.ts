import type { Cluster } from '../cluster/cluster.js';
import type { TargetKind, TargetSystem } from '../cluster/targets.js';
import type { ExpectedEffect } from '../history/records.js';
import { type Random, randomStream } from '../plan/random.js';
import { type Options, type OptionsRead, readerOf } from '../scenario/values.js';

/** One thing that breaks. Implementations: `faults/registry.ts`. Unconfirmed means the run is inconclusive. */
export interface Fault {
  /** Whether `confirm` holds before anything is broken: then it proves nothing. Bounded in time. */
  confirmedBefore?(cluster: Cluster): Promise<boolean>;
  /** Breaks it. Returns as soon as it is done, without looking whether it worked. */
  inject(cluster: Cluster): Promise<void>;
  /** Looks at the system itself, not at what `inject` did. Returns what it saw in words when it is broken as intended,
   * and false otherwise. Bounded in time. */
  confirm(cluster: Cluster): Promise<string | false>;
  /** Reads the counter that the effect of this fault names. The counter only grows, also while the fault lasts.
   * Undefined or rejected: it cannot be read. Bounded in time. */
  measure?(cluster: Cluster): Promise<number | undefined>;
  /** Undoes it and waits until the system has it back. Rejects with `MemberNotBack` when a member does not come back in
   * time. Idempotent, and safe when `inject` never ran or failed half-way. */
  heal(cluster: Cluster): Promise<void>;
}

export interface FaultEntry {
  /** One line for `--help` and the README. */
  readonly summary: string;
  /** What it can strike. */
  readonly targets: readonly TargetKind[];
  /** What may stand beside `do` in a scenario file, for its schema. */
  readonly options: Options;
  /** What users must notice of it. Without it the fault proves nothing, even when it was confirmed. `target` is one that
   * `targetIn` has resolved, `options` are as written. */
  effect(target: string, options?: Readonly<Record<string, unknown>>): ExpectedEffect;
  /** The same in one line, for the documentation. */
  readonly effectInWords: string;
  /** What the system must have for it and has not, in words; undefined when it has all. `target` is a member or a link,
   * `options` are as written. */
  lacking?(target: string, system: TargetSystem, options: unknown): string | undefined;
  /** It is made by a switch of the toy shop, which is there only where it is asked for (SHOP_LAB). */
  readonly bySwitch?: true;
  /** `options` as written there; `random` decides what the fault leaves to chance. */
  make(target: string, options?: Readonly<Record<string, unknown>>, random?: Random): Fault;
}

/** A fault with what it may be told: `options` are values of `scenario/values.ts`, and the functions get them read. */
export function defineFault<Own extends Options>(fault: {
  readonly summary: string;
  readonly targets: readonly TargetKind[];
  readonly options: Own;
  effect(target: string, options: OptionsRead<Own>): ExpectedEffect;
  readonly effectInWords: string;
  lacking?(target: string, system: TargetSystem, options: OptionsRead<Own>): string | undefined;
  readonly bySwitch?: true;
  make(target: string, options: OptionsRead<Own>, random: Random): Fault;
}): FaultEntry {
  const read = readerOf(fault.options);
  const { effect, lacking, make, ...rest } = fault;
  return {
    ...rest,
    effect: (target, options = {}) => effect(target, read(options)),
    lacking: (target, system, options) => lacking?.(target, system, read(options)),
    make: (target, options = {}, random = randomStream(1, target)) => make(target, read(options), random),
  };
}
