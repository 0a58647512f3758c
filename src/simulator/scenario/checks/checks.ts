import type { ModeName } from '../../../modes.js';
import { labVariables } from '../../cluster/backend.js';
import { specsFrom } from '../../cluster/stores/registry.js';
import {
  describeUnknownTarget,
  memberNumber,
  resolveTargetName,
  type TargetSystem,
  targetsOf,
} from '../../cluster/targets.js';
import { externalProxyProblems } from '../external-proxy.js';
import { toMembers } from '../members.js';
import { ownAppProblems } from '../own-app.js';
import { scenarioParts } from '../schema.js';
import { userProblems } from '../users.js';
import { field, listIn, type Problem, read } from '../yaml.js';
import { expectationProblems } from './expectation-checks.js';
import { explainNotOurs, explainUnfit } from './target-checks.js';
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
    ...externalProxyProblems(file),
  ];
}

function targetProblems(file: unknown, fault: unknown, index: number): Problem[] {
  const target = field(fault, 'target');
  const system = systemIn(file);
  if (typeof target !== 'string' || system === undefined) return [];
  // Problems of system.members are reported by the schema.
  const hasUnread = system.members === undefined && field(field(file, 'system'), 'members') !== undefined;
  if (hasUnread && memberNumber(target) !== undefined) return [];
  const path = ['faults', index, 'target'];
  const strange = describeUnknownTarget(target, targetsOf(system)) ?? explainNotOurs(target, system);
  if (strange !== undefined) return [{ path, message: strange }];
  const modes = modesIn(file);
  const storeless = modes.filter(mode => resolveTargetName(mode, target, system) === undefined);
  if (storeless.length > 0) return [{ path, message: explainNoServer(target, storeless) }];
  const action = read(scenarioParts.action, field(fault, 'do'));
  if (action === undefined) return [];
  // Problems of the fault itself are reported by the schema.
  const options = read(scenarioParts.fault, fault) === undefined ? undefined : fault;
  const messages = modes.map(mode =>
    explainUnfit(action, resolveTargetName(mode, target, system) ?? target, options, system),
  );
  return messages.flatMap(message => (message === undefined ? [] : [{ path, message }])).slice(0, 1);
}

function systemIn(file: unknown): TargetSystem | undefined {
  const system = read(scenarioParts.targetSystem, field(file, 'system') ?? {});
  const isRunning = field(field(file, 'system'), 'target') !== undefined;
  const members = read(scenarioParts.members, field(field(file, 'system'), 'members'));
  return (
    system && {
      isRunning,
      members: members && toMembers(members),
      backends: system.backends,
      proxy: system.proxy,
      ...specsFrom(system),
    }
  );
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
