import type { ModeName } from '../../modes.js';
import { serverOf } from '../cluster/stores/registry.js';
import { membersIn, resolveTargetName, type TargetSystem, targetsOf } from '../cluster/targets.js';
import { faults } from '../faults/kinds/registry.js';
import { describeOptions, type GivenOptions } from './fault-options.js';
import { explainMissingTarget } from './scenario.js';

/** Says what can strike a system beyond the faults that its scenario names: for the live lab and for a hunt. */

/**
 * Lists every link that the members of a system can have in a mode: from each proxy to each backend, from each backend
 * to its store, and between the members of a store. `foreign` are stores that the lab does not start.
 */
export function listLinks(mode: ModeName, system: TargetSystem, foreign: readonly string[]): readonly string[] {
  if (system.isRunning) return [];
  const links = [...targetsOf(system).links].flatMap(([from, tos]) => tos.map(to => `${from}->${to}`));
  return links.filter(
    link =>
      resolveTargetName(mode, link, system) === link &&
      !link.includes('backend-any') &&
      explainMissingTarget(mode, link) === undefined &&
      !membersIn(link).some(end => foreign.includes(serverOf(end))),
  );
}

/** Returns the required options of a fault with their examples. */
export function exampleOptions(fault: string): GivenOptions {
  const described = describeOptions(faults[fault]?.options ?? {}).filter(({ required }) => required);
  return Object.fromEntries(
    described.map(({ name, example, type }) => [name, type === 'number' ? Number(example) : example]),
  );
}
