import type { Cluster } from '../cluster/cluster.js';
import type { DriverVerb } from '../cluster/external/drivers.js';
import { serverOf } from '../cluster/stores/registry.js';
import { endsOf, kindOf, type TargetKind, type TargetSystem } from '../cluster/targets.js';
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
  /** Says on the live page what happened to the target, after its name: `was killed`. Undefined where no words fit every
   * target: the page then says `exec struck system`. */
  readonly doneInWords: string | undefined;
  /** The kinds of targets that it can break. */
  readonly targets: readonly TargetKind[];
  /** Commands that the driver of a member must have, when the fault strikes a member that the lab did not start. */
  readonly verbs?: readonly DriverVerb[];
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
  /** Returns how long the fault lasts if its options say so. `for` has precedence. `options` are as written. */
  lengthMs?(options: unknown): number | undefined;
  /** Set when the toy shop makes the fault itself. It has the switches for that only with SHOP_LAB. */
  readonly bySwitch?: true;
  /** Set when it starts its target. It can strike only a member that is not running. */
  readonly startsTarget?: true;
  /** Set when the proxy must drain its target. It is not applicable with an external proxy that cannot. */
  readonly needsDrain?: true;
  /** Set when it strikes packets in the kernel. The lab then needs a network of its own (`own-network.ts`). */
  readonly needsOwnNetwork?: true;
  /** Creates the fault. `options` are as written; `random` makes its random choices. */
  make(target: string, options?: Readonly<Record<string, unknown>>, random?: Random): Fault;
}

/** Builds the entry of a fault with options. `options` are schemas of `scenario/values.ts`. The functions get the
 * parsed values. */
export function defineFault<Own extends Options>(fault: {
  readonly summary: string;
  readonly doneInWords: string | undefined;
  readonly targets: readonly TargetKind[];
  readonly verbs?: readonly DriverVerb[];
  readonly options: Own;
  effect(target: string, options: OptionsRead<Own>): ExpectedEffect;
  readonly effectInWords: string;
  explainMissing?(target: string, system: TargetSystem, options: OptionsRead<Own>): string | undefined;
  lengthMs?(options: OptionsRead<Own>): number | undefined;
  readonly bySwitch?: true;
  readonly startsTarget?: true;
  readonly needsDrain?: true;
  readonly needsOwnNetwork?: true;
  make(target: string, options: OptionsRead<Own>, random: Random): Fault;
}): FaultEntry {
  const read = readerOf(fault.options);
  const { effect, explainMissing, lengthMs, make, ...rest } = fault;
  return {
    ...rest,
    effect: (target, options = {}) => effect(target, read(options)),
    explainMissing: (target, system, options) => explainMissing?.(target, system, read(options)),
    lengthMs: options => lengthMs?.(read(options)),
    make: (target, options = {}, random = randomStream(1, target)) => make(target, read(options), random),
  };
}

/** Effects that several faults share. All functions are pure and take targets that `targetIn` has resolved. */

/** Returns the effect of an unreachable member. A store was asked; a backend or a proxy answered no user. */
export function memberGoneEffect(target: string): ExpectedEffect {
  return kindOf(target) === 'store' ? askedEffect(target) : silentEffect(target);
}

/** Returns the effect of a member that answers no user. Answers need not name a member that the lab did not start. */
export function silentEffect(target: string) {
  return {
    kind: 'silent',
    member: target,
    ...(kindOf(target) === 'member' && { orConfirmed: true as const }),
  } as const;
}

export const memberGoneInWords =
  'the member had answered users before, and answered none between confirmation and healing; for a store: it was asked in that time';

export const askedInWords = 'the store was asked between confirmation and healing';

/** Returns the effect of a request to a store. `store` is a member such as `redis.primary`. The effect names the server
 * of that member, because users depend on the whole server. */
export function askedEffect(store: string): ExpectedEffect {
  return { kind: 'asked', store: serverOf(store) };
}

/** Returns the effect of a link that carries nothing. */
export function linkGoneEffect(target: string): ExpectedEffect {
  const { from, to, backend } = partsOf(target);
  if (backend === undefined) return { kind: 'link-bytes', link: target };
  if (backend === from) return { kind: 'asked', store: serverOf(to), from };
  return { kind: 'silent', member: backend, ...(from === 'proxy' ? {} : { link: from }) };
}

export const linkGoneInWords =
  'no user got an answer through it between confirmation and healing; for a store: it was asked in vain, or its replication lost bytes';

/** Returns the effect of a slow link: an answer takes at least `atLeastMs`, or longer than before. */
export function linkSlowEffect(target: string, atLeastMs?: number): ExpectedEffect {
  const { backend } = partsOf(target);
  if (backend === undefined) return { kind: 'link-bytes', link: target };
  return { kind: 'slow', member: backend, ...(atLeastMs === undefined ? {} : { atLeastMs }) };
}

/** Returns the effect of a link that cuts answers off. */
export function linkBrokenEffect(target: string): ExpectedEffect {
  const { backend } = partsOf(target);
  return backend === undefined ? { kind: 'link-bytes', link: target } : { kind: 'broken', member: backend };
}

export const linkBrokenInWords = 'an answer was cut off between confirmation and healing';

export const keysInWords =
  'after the change, a session of the old key was used, and a session of the new key was created';

/** Splits a link. `backend` is the end that answers users. A link between two members of a store has no such end. */
function partsOf(target: string): { readonly from: string; readonly to: string; readonly backend: string | undefined } {
  const [from, to] = endsOf(target) ?? [target, target];
  return { from, to, backend: [to, from].find(end => kindOf(end) === 'backend') };
}
