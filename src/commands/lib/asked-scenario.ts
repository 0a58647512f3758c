import { type Stats, statSync } from 'node:fs';
import path from 'node:path';
import type { Argv } from 'yargs';
import { type ModeName, storesOf } from '../../modes.js';
import { shippedScenarioFile, shippedScenarioNames } from '../../shared/package.js';
import { type StoreUrls, storeDescriptors, storeNames } from '../../shared/stores.js';
import { tools } from '../../shared/tools.mjs';
import { unknownName } from '../../shared/unknown-name.js';
import { findTool } from '../../simulator/cluster/processes/run-program.js';
import type { ClusterSpec } from '../../simulator/cluster/start-cluster.js';
import { plainStores, serverOf } from '../../simulator/cluster/stores/registry.js';
import { membersIn, resolveTargetName } from '../../simulator/cluster/targets.js';
import { readPreset } from '../../simulator/scenario/own-system.js';
import {
  describeMissingTarget,
  findMissingTarget,
  listApplicableModes,
  type NotApplicable,
  needsOwnNetwork,
  type Scenario,
} from '../../simulator/scenario/scenario.js';
import { parseStoreUrls, type StoreArgs, storeOptions, UsageError } from './flags.js';

/**
 * Returns the file of the scenario that a word of the command line names. An existing file is taken. Otherwise a word
 * without a slash and without `.yaml` is the name of a shipped scenario. Throws `UsageError` for an unknown name. A path
 * to nothing is returned as it is: reading it says what is wrong.
 */
export function findScenario(given: string): string {
  if (isFile(given)) return given;
  const name = path.basename(given).replace(/\.ya?ml$/, '');
  const isShipped = shippedScenarioNames().includes(name);
  if (given === name) {
    if (isShipped) return shippedScenarioFile(name);
    throw new UsageError(describeUnknown(given));
  }
  if (isShipped && statOf(given) === undefined)
    throw new UsageError(`"${given}" does not exist. For the shipped scenario type its name: ${name}`);
  return given;
}

function describeUnknown(given: string): string {
  const own = [`${given}.yaml`, `${given}.yml`].find(isFile);
  if (own !== undefined) return `unknown scenario "${given}". Did you mean the file "${own}"?`;
  return `${unknownName('scenario', given, shippedScenarioNames())} For a scenario of yours give its file, such as my-app.yaml.`;
}

function isFile(given: string): boolean {
  // A pipe is a file too, as in run <(make-scenario).
  return statOf(given)?.isDirectory() === false;
}

function statOf(given: string): Stats | undefined {
  try {
    return statSync(given);
  } catch {
    return undefined;
  }
}

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

/** Describes a lab of one backend without a proxy, so that every answer comes from the app alone. */
export function oneBackend({ system }: Pick<Scenario, 'system'>, mode: ModeName): ClusterSpec {
  const { target, backends } = system;
  return { mode, target, stores: storesOf(mode), storesSpec: system, backends: { ...backends, count: 1, spare: 0 } };
}
