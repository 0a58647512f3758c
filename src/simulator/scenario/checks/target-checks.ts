import { kindOf, type TargetKind, type TargetSystem } from '../../cluster/targets.js';
import { faults } from '../../faults/kinds/registry.js';

/** Says why a fault cannot strike a target. The target is known to exist. All functions are pure. */

/** Says that the target is not under the control of the lab; undefined when it is. */
export function explainNotOurs(target: string, { isRunning, backends }: TargetSystem): string | undefined {
  const kind = kindOf(target);
  if (kind === 'system') return undefined;
  if (isRunning)
    return `found "${target}", but the lab did not start the system under system.target and cannot break its members: use "do: exec"`;
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
  return options === undefined ? undefined : entry.explainMissing?.(target, system, options);
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
  link: 'a link such as proxy->backend-1',
};

function describeKind(kind: TargetKind): string {
  return kindWords[kind] ?? `a ${kind}`;
}
