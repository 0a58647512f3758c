import type { ModeName } from '../../modes.js';
import {
  describeMissingTarget,
  findMissingTarget,
  listApplicableModes,
  type NotApplicable,
  needsOwnNetwork,
  type Scenario,
} from '../../simulator/scenario/scenario.js';
import { UsageError } from './errors.js';

/** The modes of a scenario that a command is to run. */
export interface AskedModes {
  readonly modes: readonly ModeName[];
  /** Selected modes in which a fault cannot be run. */
  readonly notApplicable: readonly NotApplicable[];
}

/**
 * Returns the modes to run. `asked` are those of `--mode`; undefined selects all modes of the file. Throws `UsageError`
 * for a mode that the file does not name. `noNetwork`: see `findMissingTarget`.
 */
export function askedModesOf(
  scenario: Scenario,
  asked: readonly ModeName[] | undefined,
  noNetwork?: string,
): AskedModes {
  const strange = asked?.find(mode => !scenario.modes.includes(mode));
  if (strange !== undefined) {
    throw new UsageError(
      `scenario "${scenario.name}" does not name mode "${strange}"; its modes are ${scenario.modes.join(', ')}.`,
    );
  }
  const wanted = asked ?? scenario.modes;
  const notApplicable = wanted
    .map(mode => findMissingTarget(scenario, mode, noNetwork))
    .filter(found => found !== undefined);
  return { modes: wanted.filter(mode => !notApplicable.some(found => found.mode === mode)), notApplicable };
}

/** Returns for example `sticky: not applicable: mode sticky uses no redis (fault outage strikes redis)`. */
export function describeNotApplicable(missing: NotApplicable): string {
  return `${missing.mode}: not applicable: ${describeMissingTarget(missing)}`;
}

/** Says that a scenario cannot run in any selected mode, and what to type instead. */
export function describeNothingToRun(scenario: Scenario, noNetwork?: string): string {
  if (noNetwork !== undefined && needsOwnNetwork(scenario))
    return `scenario "${scenario.name}" was not run: it strikes packets, which is not possible here.`;
  const { external } = scenario.system.proxy;
  const others = listApplicableModes(scenario);
  if (external !== undefined && others.length === 0)
    return `scenario "${scenario.name}" was not run with the proxy ${external.name}. Leave out --proxy, or choose another.`;
  const next = others.length === 0 ? 'Add a mode that has the target to modes' : `Try --mode ${others.join(',')}`;
  return `scenario "${scenario.name}" was not run: in every selected mode a fault has no target. ${next}.`;
}
