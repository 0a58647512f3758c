import type { ModeName } from '../../../modes.js';
import { specsFrom } from '../../cluster/stores/registry.js';
import {
  describeUnknownTarget,
  kindOf,
  resolveTargetName,
  type TargetKind,
  type TargetSystem,
  targetsOf,
} from '../../cluster/targets.js';
import { faults as faultRegistry } from '../../faults/kinds/registry.js';
import { ownAppProblems } from '../own-app.js';
import { labVariables, scenarioParts } from '../schema.js';
import { userProblems } from '../users.js';
import { field, listIn, type Problem, read } from '../yaml.js';
import { expectationProblems } from './expectation-checks.js';
import { triggerProblems } from './trigger-checks.js';

/**
 * Finds problems between parts of the file, which no single value shows. Takes the file as written and checks all parts
 * that can be read, so that one mistake does not hide the others.
 */
export function crossProblems(file: unknown): Problem[] {
  const faults = listIn(file, 'faults');
  return [
    ...triggerProblems(file),
    ...faults.flatMap((fault, index) => targetProblems(file, fault, index)),
    ...arrivalProblems(file),
    ...userProblems(file, endMsIn(file)),
    ...expectationProblems(file),
    ...ownAppProblems(file, labVariables),
  ];
}

function targetProblems(file: unknown, fault: unknown, index: number): Problem[] {
  const target = field(fault, 'target');
  const system = systemIn(file);
  if (typeof target !== 'string' || system === undefined) return [];
  const path = ['faults', index, 'target'];
  const strange = describeUnknownTarget(target, targetsOf(system)) ?? explainNotOurs(file, target);
  if (strange !== undefined) return [{ path, message: strange }];
  const modes = modesIn(file);
  const storeless = modes.filter(mode => resolveTargetName(mode, target, system) === undefined);
  if (storeless.length > 0) return [{ path, message: explainNoServer(target, storeless) }];
  const action = read(scenarioParts.action, field(fault, 'do'));
  const entry = action === undefined ? undefined : faultRegistry[action];
  if (action === undefined || entry === undefined) return [];
  const kind = kindOf(target);
  if (!entry.targets.includes(kind)) return [{ path, message: explainOtherKind(target, kind, action, entry.targets) }];
  // Problems of the fault itself are reported by the schema.
  if (read(scenarioParts.fault, fault) === undefined) return [];
  const messages = modes.map(mode =>
    entry.explainMissing?.(resolveTargetName(mode, target, system) ?? target, system, fault),
  );
  return messages.flatMap(message => (message === undefined ? [] : [{ path, message }])).slice(0, 1);
}

function systemIn(file: unknown): TargetSystem | undefined {
  const system = read(scenarioParts.targetSystem, field(file, 'system') ?? {});
  return system && { backends: system.backends, proxy: system.proxy, ...specsFrom(system) };
}

function explainOtherKind(target: string, kind: TargetKind, action: string, kinds: readonly TargetKind[]): string {
  const found = kind === target ? target : `${kind} ${target}`;
  return `found the ${found}, expected ${kinds.map(describeKind).join(' or ')}: "${action}" cannot break anything else`;
}

/** Says that the target is not under the control of the lab; undefined when it is. */
function explainNotOurs(file: unknown, target: string): string | undefined {
  const system = field(file, 'system');
  const kind = kindOf(target);
  if (kind === 'system') return undefined;
  if (field(system, 'target') !== undefined)
    return `found "${target}", but the lab did not start the system under system.target and cannot break its members: use "do: exec"`;
  if (kind === 'secrets' && field(field(system, 'backends'), 'command') !== undefined)
    return 'found "secrets", but your own program does not read the key ring of the lab: use "do: exec"';
  return undefined;
}

const kindWords: Partial<Record<TargetKind, string>> = {
  secrets: 'the target "secrets"',
  system: 'the target "system"',
  proxy: 'the target "proxy"',
  link: 'a link such as proxy->backend-1',
};

function describeKind(kind: TargetKind): string {
  return kindWords[kind] ?? `a ${kind}`;
}

function explainNoServer(target: string, modes: readonly ModeName[]): string {
  return `found "${target}", but mode ${modes.join(', ')} has no store server: remove it from modes, for example modes: [shared]`;
}

function modesIn(file: unknown): readonly ModeName[] {
  return read(scenarioParts.modeList, field(file, 'modes')) ?? [];
}

/** Returns the time from the start of the warmup to the end of the recovery; undefined if no phases can be read. */
function endMsIn(file: unknown): number | undefined {
  const phases = read(scenarioParts.phases, field(file, 'phases') ?? {});
  return phases && phases.warmup + phases.baseline + phases.faults + phases.recovery;
}

function arrivalProblems(file: unknown): Problem[] {
  const endMs = endMsIn(file);
  const forMs = read(scenarioParts.users.shape.arrivals, field(field(file, 'users'), 'arrivals'))?.for;
  if (endMs === undefined || forMs === undefined || forMs <= endMs) return [];
  const message = `found arrivals that last ${forMs}ms, expected at most the ${endMs}ms from warmup to recovery`;
  return [{ path: ['users', 'arrivals', 'for'], message }];
}
