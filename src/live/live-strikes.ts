import type { ModeName } from '../modes.js';
import { unknownName } from '../shared/unknown-name.js';
import {
  describeUnknownTarget,
  endsOf,
  type KnownTargets,
  kindOf,
  membersIn,
  resolveTargetName,
  type TargetSystem,
  targetsOf,
} from '../simulator/cluster/targets.js';
import { faults } from '../simulator/faults/kinds/registry.js';
import { runFaults } from '../simulator/faults/schedule.js';
import { Strike, type StrikeStage } from '../simulator/faults/strike.js';
import { phaseNames } from '../simulator/history/records.js';
import { planFaults } from '../simulator/plan/plan.js';
import {
  describeOptions,
  exampleOptions,
  explainNotOurs,
  explainUnfit,
  type GivenOptions,
  readOptions,
} from '../simulator/scenario/applicable-faults.js';
import { explainMissingTarget, type FaultSpec, type Scenario } from '../simulator/scenario/scenario.js';
import { isHealedWith, type OfferedFault, type OfferView } from './protocol.js';

const idLengthMax = 36;

/** The strikes of one side: those of its scenario, and those that a person chose. They go through the same `Strike`. */
export class LiveStrikes {
  readonly #stage: StrikeStage;
  readonly #scheduled: readonly FaultSpec[];
  readonly #startMs: number;
  readonly #proxies: readonly string[];
  /** In the order of their requests. A strike that is healed is forgotten. */
  #active: Strike[] = [];
  /** Injections that are not over, by strike. */
  readonly #injecting = new Map<Strike, Promise<unknown>>();
  readonly #ids: Set<string>;

  /** `proxies`: their names. `startMs`: when the faults phase of the scenario begins. */
  constructor(
    scenario: Scenario,
    mode: ModeName,
    { proxies, startMs, ...stage }: StrikeStage & { readonly proxies: readonly string[]; readonly startMs: number },
  ) {
    this.#proxies = proxies;
    this.#startMs = startMs;
    this.#scheduled = faultsFor(mode, { ...scenario, faults: planFaults(scenario, stage.seed) }).faults;
    this.#ids = new Set([...phaseNames, ...this.#scheduled.map(({ id }) => id)]);
    this.#stage = { ...stage, onState: strike => this.#note(strike, stage) };
  }

  /** Returns the targets of the active strikes. */
  get targets(): ReadonlySet<string> {
    return new Set(this.#active.map(({ record }) => record.target));
  }

  /** Runs the faults of the scenario at their times. A fault that has no target in this mode is left out. Resolves when
   * the signal is aborted, or when every fault is healed. */
  async runScheduled(): Promise<void> {
    await runFaults(this.#scheduled, { ...this.#stage, startMs: this.#startMs, endMs: Number.POSITIVE_INFINITY });
  }

  /** Strikes. A strike that is not confirmed is healed at once. Resolves with the problem in words. */
  async strike({ fault, target, options }: AimedFault): Promise<string | undefined> {
    const same = this.#active.find(({ record }) => record.fault === fault && record.target === target);
    if (same !== undefined) return `${describeFault(same.record)} is active already: heal it first`;
    const trigger = { atMs: Math.max(0, this.#stage.clock.now() - this.#startMs) };
    const given = Object.keys(options).length > 0 && { options };
    const strike = new Strike({ id: this.#newId(fault, target), trigger, do: fault, target, ...given }, this.#stage);
    const injecting = strike.inject();
    this.#injecting.set(strike, injecting);
    await injecting;
    this.#injecting.delete(strike);
    if (strike.state === 'not-confirmed') await this.#heal(strike);
    return strike.record.problem;
  }

  /**
   * Heals the active strikes of a member and of its links, the latest first. Resolves with the problem in words.
   * Healings that had failed before are then tried again: a strike that is healed now may have been the reason.
   */
  async heal(member: string): Promise<string | undefined> {
    const own = this.#active.filter(({ record }) => isHealedWith(member, record.target, this.#proxies));
    if (own.length === 0) return `no strike on ${member} is active`;
    for (const strike of own.toReversed()) await this.#heal(strike);
    if (own.some(({ state }) => state === 'healed')) void this.#retryOthers(own);
    const problems = own.filter(({ state }) => state !== 'healed').map(({ record }) => describeNotHealed(record));
    const others = this.#active.filter(strike => !own.includes(strike)).map(({ record }) => describeFault(record));
    // Another fault may be the reason: while the proxy is down, for example, no backend becomes ready again.
    const hint = others.length === 0 ? '' : `. Still active: ${others.join(', ')}`;
    return problems.length === 0 ? undefined : problems.join('; ') + hint;
  }

  /** Ends what faults still do by themselves. Call it when the cluster is stopped. */
  close(): void {
    for (const strike of this.#active) void this.#heal(strike);
  }

  async #retryOthers(healed: readonly Strike[]): Promise<void> {
    const failed = this.#active.filter(strike => strike.state === 'not-healed' && !healed.includes(strike));
    for (const strike of failed.toReversed()) await this.#heal(strike);
  }

  async #heal(strike: Strike): Promise<void> {
    await this.#injecting.get(strike);
    const others = this.#active.filter(other => other !== strike);
    await strike.heal(() => others.map(({ record }) => record));
  }

  #note(strike: Strike, { onState }: StrikeStage): void {
    if (strike.state === 'requested') this.#active.push(strike);
    if (strike.state === 'healed') this.#active = this.#active.filter(other => other !== strike);
    onState?.(strike);
  }

  #newId(fault: string, target: string): string {
    const named = fault.endsWith(`-${target}`) ? fault : `${fault}-${target}`;
    const plain = named.replaceAll(/[^a-z0-9]+/g, '-').slice(0, idLengthMax);
    for (let number = 1; ; number += 1) {
      const id = number === 1 ? plain : `${plain}-${number}`;
      if (this.#ids.has(id)) continue;
      this.#ids.add(id);
      return id;
    }
  }
}

function describeFault({ fault, target }: Strike['record']): string {
  return `${fault} of ${target}`;
}

function describeNotHealed(record: Strike['record']): string {
  const { problem, notBack = [] } = record;
  return problem ?? `${describeFault(record)} is not healed: ${notBack.map(({ member, why }) => `${member} ${why}`)}`;
}

/** The system of one side, as far as it decides what can strike it. */
export interface StruckSystem {
  readonly mode: ModeName;
  readonly system: TargetSystem;
  /** Members that run. */
  readonly running: ReadonlySet<string>;
  /** Links that exist. */
  readonly links: ReadonlySet<string>;
  /** Present roles of the members of a replicated store: `primary` or `replica`. */
  readonly roles: ReadonlyMap<string, string>;
  /** Targets of the active strikes. */
  readonly struck: ReadonlySet<string>;
}

/** A fault with a target that is a member, a link or `secrets`, and with options as a scenario file writes them. */
interface AimedFault {
  readonly fault: string;
  readonly target: string;
  readonly options: GivenOptions;
}

/** Checks a command to strike. Returns the fault with resolved target, or the reason why it cannot strike. */
export function aimFault(
  fault: string,
  target: string,
  given: GivenOptions,
  struck: StruckSystem,
  known = targetsOf(struck.system),
): AimedFault | string {
  const { mode, system } = struck;
  const entry = Object.hasOwn(faults, fault) ? faults[fault] : undefined;
  if (entry === undefined) return unknownName('fault', fault, Object.keys(faults));
  const resolved = resolveTargetName(mode, target, system) ?? target;
  const options = readOptions(entry.options, given);
  const problem =
    describeUnknownTarget(target, known) ??
    explainNotOurs(target, system) ??
    explainMissingTarget(mode, target) ??
    explainUnfit(fault, resolved, undefined, system) ??
    explainNoPackets(fault) ??
    (typeof options === 'string' ? options : explainUnfit(fault, resolved, options, system)) ??
    explainAbsent(fault, resolved, struck);
  if (problem !== undefined) return problem;
  return typeof options === 'string' ? options : { fault, target: resolved, options };
}

/** Says why the live lab cannot strike packets; undefined for any other fault. Browsers must reach its page and its
 * shop, so it has no network of its own. */
function explainNoPackets(fault: string): string | undefined {
  if (!faults[fault]?.needsOwnNetwork) return undefined;
  return `"${fault}" needs a network of the lab's own, which a browser cannot reach: run the scenario with holdfast run`;
}

/** Says why a fault cannot strike its target now: a member or link is missing, or the fault starts a running member. */
function explainAbsent(
  fault: string,
  target: string,
  { running, links, roles, struck }: StruckSystem,
): string | undefined {
  const kind = kindOf(target);
  if (kind === 'system') return `"${fault}" runs commands: write it into a scenario file`;
  if (kind === 'secrets' || kind === 'backends') return undefined;
  if (target.includes('backend-any')) return `found "${target}", expected one backend such as backend-1`;
  if (kind === 'link' && !links.has(target)) return `the lab has no link ${target}`;
  const [from = ''] = endsOf(target) ?? [];
  if (roles.get(from) === 'replica') return `${from} is no primary now, so the link ${target} carries nothing`;
  const dead = membersIn(target).filter(member => !running.has(member) && !isAddressOf(member, running));
  if (!faults[fault]?.startsTarget) return dead.length === 0 ? undefined : `${dead.join(' and ')} is not running`;
  if (dead.length === 0) return `${target} is already running`;
  return struck.has(target) ? `a strike on ${target} is active: heal it first` : undefined;
}

/** Returns whether a name is an address of a store with several members: one of them runs. */
function isAddressOf(name: string, running: ReadonlySet<string>): boolean {
  return [...running].some(member => member.startsWith(`${name}.`));
}

/** Lists every target of the running system with the faults that can strike it now. Pure. */
export function offersOf(struck: StruckSystem): readonly OfferView[] {
  const known = targetsOf(struck.system);
  const { backends, stores, proxies } = known;
  const targets = [...backends, ...proxies, ...stores, ...struck.links, 'backends', 'secrets'];
  return targets.flatMap(target => {
    const offered = offeredFaults(target, struck, known);
    return offered.length === 0 ? [] : [{ target, member: memberOf(target, proxies), faults: offered }];
  });
}

function offeredFaults(target: string, struck: StruckSystem, known: KnownTargets): readonly OfferedFault[] {
  const kind = kindOf(target);
  const possible = Object.entries(faults).filter(([, { targets }]) => targets.includes(kind));
  return possible.flatMap(([name, { summary, options }]) => {
    const aimed = aimFault(name, target, exampleOptions(name), struck, known);
    // A name such as `backend-any` stands for a member. Only the member itself is offered.
    if (typeof aimed === 'string' || aimed.target !== target) return [];
    return { name, summary, options: describeOptions(options) };
  });
}

/** Returns the member with the target in its box: for a link its backend, or without one its second end. */
export function memberOf(target: string, proxies: readonly string[]): string {
  if (target === 'secrets' || target === 'backends') return proxies[0] ?? 'proxy';
  const [from, to] = endsOf(target) ?? [target, target];
  return [from, to].find(end => kindOf(end) === 'backend') ?? to;
}

/** Returns the faults of a scenario that can strike in this mode, with their targets. `leftOut` has one sentence for
 * each other fault, with the reason. Pure. */
export function faultsFor(
  mode: ModeName,
  { faults, system }: Pick<Scenario, 'faults' | 'system'>,
): { readonly faults: readonly FaultSpec[]; readonly leftOut: readonly string[] } {
  const aimed = faults.map(spec => {
    const target = resolveTargetName(mode, spec.target, system);
    const why =
      target === undefined
        ? `mode ${mode} uses no store server of its own`
        : (explainMissingTarget(mode, target) ?? explainNoPackets(spec.do));
    return target === undefined || why !== undefined
      ? `The fault "${spec.id}" of the scenario is left out: it strikes ${spec.target}, and ${why}.`
      : { ...spec, target };
  });
  return {
    faults: aimed.filter(one => typeof one !== 'string'),
    leftOut: aimed.filter(one => typeof one === 'string'),
  };
}
