import type { Argv } from 'yargs';
import { readPreset } from '../../simulator/scenario/external-proxy.js';
import type { Scenario } from '../../simulator/scenario/scenario.js';
import { UsageError } from './errors.js';

/** The flag of the commands that can run a scenario with another proxy. */
export interface OtherProxyArgs {
  readonly proxy: string | undefined;
}

export function proxyOption<T>(yargs: Argv<T>): Argv<T & OtherProxyArgs> {
  return yargs.option('proxy', {
    type: 'string',
    requiresArg: true,
    describe: 'another proxy in place of Holdfast: a name of examples/proxies, or a preset.yaml of yours',
  });
}

/** Returns the scenarios with the proxy of `--proxy`. Rejects with `UsageError` or `ScenarioError`. */
export async function withProxy(scenarios: readonly Scenario[], proxy: string | undefined): Promise<Scenario[]> {
  if (proxy === undefined) return [...scenarios];
  const external = { ...(await readPreset(proxy)), asked: proxy };
  return scenarios.map(scenario => {
    const { name, system } = scenario;
    if (system.target !== undefined)
      throw new UsageError(`--proxy: scenario "${name}" tests a system that already runs: leave out the flag.`);
    return { ...scenario, system: { ...system, proxy: { ...system.proxy, external } } };
  });
}
