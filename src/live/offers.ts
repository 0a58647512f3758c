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
import { exampleOptions } from '../simulator/scenario/applicable-faults.js';
import { explainNotOurs, explainUnfit } from '../simulator/scenario/checks/target-checks.js';
import { describeOptions, type GivenOptions, readOptions } from '../simulator/scenario/fault-options.js';
import { explainMissingTarget } from '../simulator/scenario/scenario.js';
import type { OfferedFault, OfferView } from './protocol.js';

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
export interface AimedFault {
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
export function explainNoPackets(fault: string): string | undefined {
  if (!faults[fault]?.needsOwnNetwork) return undefined;
  return `"${fault}" needs a network of the lab's own, which a browser cannot reach: run the scenario with holdfast run`;
}

/** Says that a member or a link is not there now, or that the fault starts a member that runs. */
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
    const offered = faultsFor(target, struck, known);
    return offered.length === 0 ? [] : [{ target, member: memberOf(target, proxies), faults: offered }];
  });
}

function faultsFor(target: string, struck: StruckSystem, known: KnownTargets): readonly OfferedFault[] {
  const kind = kindOf(target);
  const possible = Object.entries(faults).filter(([, { targets }]) => targets.includes(kind));
  return possible.flatMap(([name, { summary, options }]) => {
    const aimed = aimFault(name, target, exampleOptions(name), struck, known);
    // Names that stand for a member are not offered: the member is.
    if (typeof aimed === 'string' || aimed.target !== target) return [];
    return { name, summary, options: describeOptions(options) };
  });
}

/** Returns the member in whose box the page offers a target: of a link its backend, or without one its second end. */
export function memberOf(target: string, proxies: readonly string[]): string {
  if (target === 'secrets' || target === 'backends') return proxies[0] ?? 'proxy';
  const [from, to] = endsOf(target) ?? [target, target];
  return [from, to].find(end => kindOf(end) === 'backend') ?? to;
}
