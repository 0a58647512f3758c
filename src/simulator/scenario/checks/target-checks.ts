import { drivers } from '../../cluster/external/drivers/registry.js';
import { kindOf, type TargetKind, type TargetSystem } from '../../cluster/targets.js';
import type { FaultEntry } from '../../faults/fault.js';
import { faults } from '../../faults/kinds/registry.js';

/** Says why a fault cannot strike a target. The target is known to exist. All functions are pure. */

/** Says that the target is not under the control of the lab; undefined when it is. */
export function explainNotOurs(target: string, { isRunning, members, backends }: TargetSystem): string | undefined {
  const kind = kindOf(target);
  if (kind === 'system' || (kind === 'backends' && members !== undefined)) return undefined;
  if (kind === 'member')
    return members === undefined
      ? `found "${target}", expected system.members, which says how the members of a running system are struck`
      : undefined;
  if (isRunning && members !== undefined)
    return `found "${target}", but the lab did not start the system under system.target: use member-1, member-2, member-any or backends`;
  if (isRunning)
    return `found "${target}", but the lab did not start the system under system.target and cannot break its members: add system.members, or use "do: exec"`;
  if (kind === 'secrets' && backends.command !== undefined)
    return 'found "secrets", but your own program does not read the key ring of the lab: use "do: exec"';
  return undefined;
}

/** Says why this fault cannot strike this kind of target, or what it needs there. `options` are as written; undefined
 * when they cannot be read. */
export function explainUnfit(
  action: string,
  target: string,
  options: unknown,
  system: TargetSystem,
): string | undefined {
  const entry = faults[action];
  if (entry === undefined) return undefined;
  const kind = kindOf(target);
  if (!entry.targets.includes(kind)) return explainOtherKind(target, kind, action, entry.targets);
  if (kind === 'member') return explainNoCommand(action, entry, system);
  return options === undefined ? undefined : entry.explainMissing?.(target, system, options);
}

/** Says which command the driver lacks; undefined when it has all. */
function explainNoCommand(action: string, { verbs = [] }: FaultEntry, { members }: TargetSystem): string | undefined {
  const lacking = verbs.find(verb => members?.commands[verb] === undefined);
  if (lacking === undefined) return undefined;
  const why = members?.driver === undefined ? undefined : drivers[members.driver]?.lacks?.[lacking];
  if (why !== undefined) return `found ${action}, but ${why}`;
  return `found ${action}, but this driver has no command to ${lacking} a member: choose another fault, or commands of your own (system.members.driver.${lacking})`;
}

function explainOtherKind(target: string, kind: TargetKind, action: string, kinds: readonly TargetKind[]): string {
  const found = kind === target ? target : `${kind} ${target}`;
  return `found the ${found}, expected ${kinds.map(describeKind).join(' or ')}: "${action}" cannot break anything else`;
}

const kindWords: Partial<Record<TargetKind, string>> = {
  backends: 'the target "backends"',
  secrets: 'the target "secrets"',
  system: 'the target "system"',
  proxy: 'the target "proxy"',
  member: 'a member of a running system such as member-1',
  link: 'a link such as proxy->backend-1',
};

function describeKind(kind: TargetKind): string {
  return kindWords[kind] ?? `a ${kind}`;
}
