import type { Cluster } from './cluster/cluster.js';
import { type Options, type OptionsRead, readerOf } from './scenario/values.js';
import type { TargetKind, TargetSystem } from './targets.js';

/** One thing that breaks. Implementations: `faults/registry.ts`. Unconfirmed means the run is inconclusive. */
export interface Fault {
  /** Breaks it. Returns as soon as it is done, without looking whether it worked. */
  inject(cluster: Cluster): Promise<void>;
  /** Looks at the system itself, not at what `inject` did: true, or what it saw in words, when it is broken as intended.
   * Bounded in time. */
  confirm(cluster: Cluster): Promise<boolean | string>;
  /** Undoes it and waits until the system has it back; rejects when it does not come back in time. Idempotent, and
   * safe when `inject` never ran or failed half-way. */
  heal(cluster: Cluster): Promise<void>;
}

export interface FaultEntry {
  /** One line for `--help` and the README. */
  readonly summary: string;
  /** What it can strike. */
  readonly targets: readonly TargetKind[];
  /** What may stand beside `do` in a scenario file, for its schema. */
  readonly options: Options;
  /** What the system must have for it and has not, in words; undefined when it has all. `target` is a member or a link,
   * `options` are as written. */
  lacking?(target: string, system: TargetSystem, options: unknown): string | undefined;
  /** It is made by a switch of the toy shop, which is there only where it is asked for (SHOP_LAB). */
  readonly bySwitch?: true;
  /** `options` as written there. */
  make(target: string, options?: Readonly<Record<string, unknown>>): Fault;
}

/** A fault with what it may be told: `options` are values of `scenario/values.ts`, and `make` gets them read. */
export function defineFault<Own extends Options>(fault: {
  readonly summary: string;
  readonly targets: readonly TargetKind[];
  readonly options: Own;
  lacking?(target: string, system: TargetSystem, options: OptionsRead<Own>): string | undefined;
  readonly bySwitch?: true;
  make(target: string, options: OptionsRead<Own>): Fault;
}): FaultEntry {
  const read = readerOf(fault.options);
  const { lacking, make, ...rest } = fault;
  return {
    ...rest,
    lacking: (target, system, options) => lacking?.(target, system, read(options)),
    make: (target, options = {}) => make(target, read(options)),
  };
}
