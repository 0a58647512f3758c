import { type ModeName, storesOf } from '../../modes.js';
import { type StoreUrls, storeDescriptors, storeNames } from '../../shared/stores.js';
import { tools } from '../../shared/tools.mjs';
import { findTool } from '../../simulator/cluster/processes/run-program.js';
import { plainStores, serverOf } from '../../simulator/cluster/stores/registry.js';
import { membersIn, resolveTargetName } from '../../simulator/cluster/targets.js';
import { needsOwnNetwork, type Scenario } from '../../simulator/scenario/scenario.js';
import { UsageError } from './errors.js';

/** Throws `UsageError` when the scenario would strike or configure a server that Holdfast did not start, or cannot reach
 * it. */
export function checkTargets(scenario: Scenario, storeUrls: StoreUrls): void {
  const { name, faults, modes, system } = scenario;
  const [own] = storeNames.filter(store => storeUrls[store] !== undefined);
  if (own !== undefined && needsOwnNetwork(scenario))
    throw new UsageError(
      `--${storeDescriptors[own].flag} names your own server, which cannot be reached: scenario "${name}" strikes packets, so its lab has a network of its own. Leave out the flag, or the scenario.`,
    );
  for (const store of storeNames) {
    const wanted = wishes(system[store], plainStores[store]);
    if (storeUrls[store] === undefined || wanted.length === 0) continue;
    throw new UsageError(
      `--${storeDescriptors[store].flag} names your own server, but scenario "${name}" needs one with ${wanted.join(', ')}: leave out the flag, or the scenario.`,
    );
  }
  for (const store of storeNames) {
    const fault = faults.find(({ target }) =>
      modes.some(mode =>
        membersIn(resolveTargetName(mode, target, system) ?? '').some(member => serverOf(member) === store),
      ),
    );
    if (fault === undefined || storeUrls[store] === undefined) continue;
    throw new UsageError(
      `--${storeDescriptors[store].flag} names your own server, and the fault "${fault.id}" of scenario "${name}" would ` +
        `strike ${store}: a server that Holdfast did not start is never touched. Leave out the flag, or the scenario.`,
    );
  }
}

/** Throws `LabError` when the program of a store is missing, before the first of several modes has run for some time. */
export function checkPrograms(modes: readonly ModeName[], storeUrls: StoreUrls): void {
  const stores = new Set(modes.flatMap(storesOf));
  for (const store of stores) if (storeUrls[store] === undefined && Object.hasOwn(tools, store)) findTool(store);
}

/** Lists the settings of a server that differ from the default, as `replicas 1`. */
function wishes(wanted: object, plain: object): readonly string[] {
  const usual = new Map(Object.entries(plain));
  const other = Object.entries(wanted).filter(([key, value]) => usual.get(key) !== value);
  return other.map(([key, value]) => (key === 'memoryMb' ? `${value} MB` : `${key} ${value}`));
}
