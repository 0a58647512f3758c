import { type Mode, type ModeName, modes, storesOf } from '../../modes.js';
import { isStoreServer, serverOf } from '../cluster/stores/registry.js';
import { kindOf, membersIn } from '../cluster/targets.js';
import type { FaultSpec, Scenario } from './scenario.js';

/** Reason why a scenario cannot be run in a mode: a target of its faults does not exist in that mode. */
export interface NotApplicable {
  readonly mode: ModeName;
  /** Id of the fault. */
  readonly fault: string;
  readonly target: string;
  /** `mode sticky uses no redis`. */
  readonly why: string;
}

/** Returns the first fault without a target in this mode; undefined when the scenario can be run in it. Pure. */
export function findMissingTarget({ faults }: Pick<Scenario, 'faults'>, mode: ModeName): NotApplicable | undefined {
  for (const { id, target } of faults) {
    const why = explainMissingTarget(mode, target);
    if (why !== undefined) return { mode, fault: id, target, why };
  }
  return undefined;
}

/** Returns the reason in words: `mode sticky uses no redis (fault outage strikes redis)`. Pure. */
export function describeMissingTarget({ fault, target, why }: NotApplicable): string {
  return `${why} (fault ${fault} strikes ${target})`;
}

/** Returns those modes of the scenario in which it can be run. Pure. */
export function listApplicableModes(scenario: Pick<Scenario, 'faults' | 'modes'>): readonly ModeName[] {
  return scenario.modes.filter(mode => findMissingTarget(scenario, mode) === undefined);
}

function explainMissingTarget(mode: ModeName, target: FaultSpec['target']): string | undefined {
  const { strategy }: Mode = modes[mode];
  if (kindOf(target) === 'secrets')
    return strategy === 'reference' ? `mode ${mode} signs no session: its cookie is an id` : undefined;
  const servers = membersIn(target).map(serverOf);
  if (servers.includes('store')) return storesOf(mode).length === 0 ? `mode ${mode} uses no store server` : undefined;
  const missing = servers.filter(isStoreServer).find(server => !storesOf(mode).includes(server));
  return missing === undefined ? undefined : `mode ${mode} uses no ${missing}`;
}
