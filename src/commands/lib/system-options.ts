import type { Argv } from 'yargs';
import type { StoreUrls } from '../../shared/stores.js';
import { readPreset } from '../../simulator/scenario/external-proxy.js';
import type { Scenario } from '../../simulator/scenario/scenario.js';
import { UsageError } from './errors.js';
import { parseStoreUrls, type StoreArgs, storeOptions } from './store-options.js';
import { checkTargets } from './store-targets.js';

/** The flags of the commands that run scenarios of the user: another proxy, and servers of the user's own. */
export type SystemArgs = StoreArgs & OtherProxyArgs;

export function systemOptions<T>(yargs: Argv<T>): Argv<T & SystemArgs> {
  return proxyOption(storeOptions(yargs));
}

/** Scenarios with the proxy that was asked for, and the addresses of the user's own servers. */
export interface ChosenSystem {
  readonly scenarios: readonly Scenario[];
  readonly storeUrls: StoreUrls;
}

/**
 * Reads these flags. Rejects with `UsageError` or `ScenarioError` for a proxy or an address that cannot be used, and for a
 * scenario that would strike a server of the user's own. `struck`: what a scenario may strike; default: its faults.
 */
export async function chooseSystem(
  written: readonly Scenario[],
  args: SystemArgs,
  struck: (scenario: Scenario) => Pick<Scenario, 'faults' | 'modes'> = scenario => scenario,
): Promise<ChosenSystem> {
  const scenarios = await withProxy(written, args.proxy);
  const storeUrls = parseStoreUrls(args);
  for (const scenario of scenarios) checkTargets({ ...scenario, ...struck(scenario) }, storeUrls);
  return { scenarios, storeUrls };
}

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
