import { randomInt } from 'node:crypto';
import { type Mode, type ModeName, modes, storesOf } from '../../modes.js';
import type { Cluster } from '../cluster/cluster.js';
import type { ExternalProxy } from '../cluster/external/external-proxy.js';
import type { ProxySpec } from '../cluster/proxy.js';
import { type ClusterSpec, membersOf } from '../cluster/start-cluster.js';
import type { RunHeader, SystemRecord } from '../history/records.js';
import { makeNonce } from '../plan/planned-user.js';
import type { Scenario } from '../scenario/scenario.js';
import type { DriverOptions } from '../users/driver.js';
import { type Journey, shopJourney } from '../users/journey.js';
import { mappedJourney } from '../users/mapped-journey.js';

/** Turns the system and the users of a scenario into what the lab starts and the driver drives. */

export interface ClusterExtras {
  readonly links: readonly string[];
  /** Whether the toy shop has its switches, which some faults use. */
  readonly hasSwitches: boolean;
}

export function buildClusterSpec(
  { system }: Pick<Scenario, 'system'>,
  mode: ModeName,
  { links, hasSwitches }: ClusterExtras,
): ClusterSpec {
  const { target, members, backends } = system;
  const env = hasSwitches ? { ...backends.env, SHOP_LAB: '1' } : backends.env;
  return {
    mode,
    target,
    members,
    backends: { ...backends, env },
    proxy: buildProxySpec(system),
    stores: storesOf(mode),
    storesSpec: system,
    links,
  };
}

/** Returns the proxy's settings. In front of the user's own programs, the proxy probes their own health path and names
 * the backend in each answer. */
function buildProxySpec({ proxy, backends: { own } }: Scenario['system']): ProxySpec {
  // A run takes seconds. With a slow start of half a minute, no backend would reach its full share.
  const started = { ...proxy, slowStartMs: 0 };
  if (own === undefined) return started;
  return { ...started, health: { ...proxy.health, path: own.ready.http }, extra: ['--name-backends'] };
}

/** Returns what a verdict needs to know about the system under test. */
export function describeSystem(
  spec: ClusterSpec,
  { external, proxyAdmin }: Partial<Pick<Cluster, 'external' | 'proxyAdmin'>> = {},
): SystemRecord {
  const { mode, target, proxy, stores } = spec;
  const { affinity, strategy, store }: Mode = modes[mode];
  const inStore = store === 'memory' ? 'backend' : 'store';
  return {
    members: external?.startedWith.map(name => ({ name, role: 'backend' as const })) ?? membersOf(spec),
    keeps: strategy === 'reference' ? inStore : 'browser',
    stores: target === undefined ? stores : [],
    ...(proxy?.policy === 'rendezvous' && { policy: proxy.policy }),
    affinity: proxy?.affinity === undefined ? affinity : proxy.affinity !== 'off',
    ...describeProxy(proxy?.external),
    ...((target !== undefined || proxyAdmin?.isSampled) && { ejectionsUnseen: true }),
  };
}

function describeProxy(external: ExternalProxy | undefined): Pick<SystemRecord, 'proxy' | 'proxyAsked'> {
  if (external === undefined) return {};
  const { name, asked } = external;
  return { proxy: name, ...(asked !== undefined && { proxyAsked: asked }) };
}

/** Returns the part of a header that is known when a run begins. `versions`: those that the caller knows. */
export function startHeader(
  { name, why }: Pick<Scenario, 'name' | 'why'>,
  mode: ModeName,
  seed: number,
  versions: RunHeader['versions'] = {},
): Omit<RunHeader, 'planned' | 'faults' | 'expectations'> {
  return {
    type: 'run',
    schema: 1,
    scenario: name,
    why,
    mode,
    seed,
    revocationLagMs: modes[mode].revocationLagMs,
    versions: { ...versions, node: process.versions.node },
    startedAt: new Date().toISOString(),
  };
}

/** Returns the part of the driver's options that scenario, cluster and header decide. */
export function driverSetup(
  { users }: Pick<Scenario, 'users'>,
  { proxies, external }: Pick<Cluster, 'proxies' | 'external'>,
  { nonce, revocationLagMs = 0 }: Pick<RunHeader, 'nonce' | 'revocationLagMs'>,
): Omit<DriverOptions, 'plan' | 'clock' | 'onOperation'> {
  return {
    proxies,
    ...(nonce === undefined ? {} : { nonce }),
    timeoutMs: users.timeoutMs,
    revocationLagMs,
    replayEveryMs: users.replayEveryMs,
    browserCookie: users.browserCookie,
    journey: chooseJourney(users),
    ...(external && { naming: external.naming }),
  };
}

function chooseJourney({ journey, cookie }: Scenario['users']): Journey {
  return journey === 'shop' ? shopJourney : mappedJourney(journey, cookie);
}

/** Draws a nonce from the operating system: no seed may give two runs the same one. */
export function drawNonce(): string {
  return makeNonce(() => randomInt(2 ** 32) / 2 ** 32);
}
