import { type ModeName, storesOf } from '../../modes.js';
import type { ClusterSpec } from '../../simulator/cluster/start-cluster.js';
import type { Scenario } from '../../simulator/scenario/scenario.js';

/** Describes a lab of one backend without a proxy, so that every answer comes from the app alone. */
export function oneBackend({ system }: Pick<Scenario, 'system'>, mode: ModeName): ClusterSpec {
  const { target, backends } = system;
  return { mode, target, stores: storesOf(mode), storesSpec: system, backends: { ...backends, count: 1, spare: 0 } };
}
