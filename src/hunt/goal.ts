import type { ModeName } from '../modes.js';
import { unknownName } from '../shared/unknown-name.js';
import { type Expectation, parseExpectation, parseLine } from '../simulator/checker/verdict/expectations.js';
import { isProvenByOne } from '../simulator/checker/verdict/metrics.js';
import {
  describeUnknownTarget,
  kindOf,
  membersIn,
  resolveTargetName,
  type TargetSystem,
  targetsOf,
} from '../simulator/cluster/targets.js';
import { ScenarioError } from '../simulator/errors.js';
import { faults as registry } from '../simulator/faults/kinds/registry.js';
import { exampleOptions, explainNotOurs, explainUnfit, listLinks } from '../simulator/scenario/applicable-faults.js';
import { expectationsOf, explainMissingTarget, type FaultSpec, type Scenario } from '../simulator/scenario/scenario.js';

/** The goal of a hunt: what it may strike, and the expectations that it wants to see violated. The scenario and the
 * command line say both. */

/** A fault with a target that the hunt may strike. */
export interface HuntedFault extends Pick<FaultSpec, 'do' | 'target' | 'options'> {
  /** A usual length. Absent: the fault has none, or its options say it. */
  readonly forMs?: number;
}

const usualMs = 1_000;
/** A fault of these targets has no length: it ends by itself, or it stays. */
const withoutLength = ['secrets', 'backends'];

/**
 * Returns what a hunt may strike in a mode: the faults of the scenario, each on every target of its kind, and the faults
 * that `--faults` names. Throws `ScenarioError` for a name that does not exist, and when nothing is left. Pure.
 */
export function listStrikeable(scenario: Scenario, mode: ModeName, asked: readonly string[]): readonly HuntedFault[] {
  const system = targetSystemOf(scenario);
  const candidates = [
    ...scenario.faults.flatMap(fault => spread(fault, mode, system)),
    ...asked.flatMap(text => askedFaults(text, mode, scenario, system)),
  ];
  const fitting = candidates.filter(fault => explainUnusable(fault, mode, system) === undefined);
  const unique = new Map(fitting.map(fault => [JSON.stringify([fault.do, fault.target, fault.options]), fault]));
  if (unique.size > 0) return [...unique.values()];
  throw new ScenarioError(
    `scenario "${scenario.name}" has no fault that can strike in mode ${mode}: name some, as in --faults kill,hang.`,
  );
}

function targetSystemOf({ system }: Pick<Scenario, 'system'>): TargetSystem {
  const { backends, target, members } = system;
  return {
    ...system,
    isRunning: target !== undefined,
    members,
    backends: { count: backends.count, spare: backends.spare, command: backends.own?.command },
  };
}

/** Returns the same fault on every target of the same kind: on each backend, or on the link of each backend. */
function spread(
  { do: action, target, options, forMs }: FaultSpec,
  mode: ModeName,
  system: TargetSystem,
): HuntedFault[] {
  const names = /backend-(?:\d+|any)/.test(target) && registry[action]?.startsTarget !== true ? backendsOf(system) : [];
  const targets = names.length === 0 ? [target] : names.map(name => target.replace(/backend-(?:\d+|any)/, name));
  return targets.map(each => ({
    do: action,
    target: resolveTargetName(mode, each, system) ?? each,
    ...(options !== undefined && { options }),
    ...(forMs !== undefined && { forMs }),
  }));
}

function backendsOf({ backends }: TargetSystem): string[] {
  return Array.from({ length: backends.count }, (_, index) => `backend-${index + 1}`);
}

/** Returns the faults that `kill` or `kill@redis` names. A store is struck only if it is named, or if the scenario does
 * so: what a store loses with its process is no defect of the app. */
function askedFaults(text: string, mode: ModeName, scenario: Scenario, system: TargetSystem): HuntedFault[] {
  const [action = '', at] = text.split('@').map(part => part.trim());
  const entry = Object.hasOwn(registry, action) ? registry[action] : undefined;
  if (entry === undefined) throw new ScenarioError(unknownName('fault', action, Object.keys(registry)));
  const strange = at === undefined ? undefined : describeUnknownTarget(at, targetsOf(system));
  if (strange !== undefined) throw new ScenarioError(strange);
  const strikesStores = scenario.faults.some(({ target }) => kindOf(target) === 'store');
  const targets = at === undefined ? allTargets(mode, system, strikesStores) : [at];
  const options = exampleOptions(action);
  return targets.map(target => ({
    do: action,
    target: resolveTargetName(mode, target, system) ?? target,
    ...(Object.keys(options).length > 0 && { options }),
    ...(!withoutLength.includes(target) && { forMs: entry.lengthMs?.(options) ?? usualMs }),
  }));
}

function allTargets(mode: ModeName, system: TargetSystem, withStores: boolean): string[] {
  const { stores, proxies } = targetsOf(system);
  const links = listLinks(mode, system, []).filter(link => membersIn(link).some(end => kindOf(end) === 'backend'));
  const members = stores.filter(name => withStores && name !== 'store');
  return [...backendsOf(system), ...proxies, ...links, ...members, ...withoutLength];
}

function explainUnusable({ do: action, target, options = {} }: HuntedFault, mode: ModeName, system: TargetSystem) {
  return (
    explainNotOurs(target, system) ??
    explainMissingTarget(mode, target) ??
    explainUnfit(action, target, { do: action, target, ...options }, system)
  );
}

/** A member that does not come back is a failure in every run, whatever the file expects. */
const alwaysSought = 'members.notBack == 0';

/**
 * Returns the expectations to violate: those of the file, for this mode, that allow no case at all of a loss or a
 * defect (`writes.lost == 0`). One case is then a proof. Expectations about time, shares, errors or a window
 * are not sought: they depend on the times and lengths that the hunt changes, or on the machine. Pure.
 */
export function listSought(scenario: Scenario, mode: ModeName): readonly string[] {
  const lines = expectationsOf(scenario, mode).map(parseLine).filter(isInvariant);
  const texts = lines.map(({ metric }) => `${metric} == 0`);
  return texts.length === 0 ? [] : [...new Set([...texts, alwaysSought])];
}

function isInvariant({ metric, during, level, operator, number }: Expectation): boolean {
  const allowsNone = (operator === '==' || operator === '<=') && number === 0;
  return allowsNone && during === undefined && level !== 'warn' && isProvenByOne(metric);
}

const opposites: Readonly<Record<string, string>> = {
  '>': '<=',
  '>=': '<',
  '<': '>=',
  '<=': '>',
  '==': '!=',
  '!=': '==',
};

/** Returns the expectation that is violated exactly when `wanted` holds: for `--until`. Throws `ScenarioError` when it
 * cannot be parsed, or when every run meets it. Pure. */
export function negateExpectation(wanted: string): string {
  const { operator, text, metric } = parseExpectation(wanted);
  if (operator === '>' && /\s0\s*$/.test(text) && isProvenByOne(metric)) return text.replace('>', '==').trim();
  return text.replace(operator, opposites[operator] ?? operator).trim();
}
