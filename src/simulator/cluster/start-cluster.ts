import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ModeName, storesOf } from '../../modes.js';
import { formatKeyRing, generateKeyRing } from '../../shared/key-ring.js';
import { type StoreServerName, type StoreUrls, storeNames } from '../../shared/stores.js';
import { unknownName } from '../../shared/unknown-name.js';
import { BootFailed, LabError, rejectOnAbort } from '../errors.js';
import { backendSpec, type OwnBackend, ownBackendSpec, versionHeader } from './backend.js';
import { bootProxies, noProxy } from './boot-proxies.js';
import { type BootedStore, bootStore } from './boot-stores.js';
import type { Cluster, ClusterMember, LabCluster, Release } from './cluster.js';
import type { MembersSpec } from './external/drivers.js';
import { joinMembers } from './external/external-members.js';
import { type InTurn, Lab } from './lab.js';
import { ask } from './probe.js';
import { freePort, isFree } from './processes/free-port.js';
import type { Listeners, ProcessSpec } from './processes/process-member.js';
import { type ProxySpec, proxyNames } from './proxy.js';
import { LabDeployer } from './rollout.js';
import { isStoreServer, plainStores, type StoresSpec, shapeOf } from './stores/registry.js';
import { endsOf } from './targets.js';

const startTriesMax = 3;
const versionWithinMs = 2_000;
const firstRelease: Release = { version: 'A', env: {} };

export interface ClusterSpec {
  readonly mode: ModeName;
  /** The address of a system that already runs. Then the lab starts nothing, and the keys below do not apply. */
  readonly target?: string | undefined;
  /** How the members of the system under `target` are struck. Absent: only commands of the user can break something. */
  readonly members?: MembersSpec | undefined;
  readonly backends: {
    readonly count: number;
    /** Number of further backends that the proxy knows but that are not started: `backend-<count + 1>` and so on. */
    readonly spare?: number;
    readonly env: Readonly<Record<string, string>>;
    /** A Node program that replaces the toy shop. */
    readonly program?: string;
    /** A program of the user that replaces the toy shop. */
    readonly own?: OwnBackend | undefined;
  };
  /** Absent: only backends and stores run, and `proxyUrl` is the address of the first backend. */
  readonly proxy?: ProxySpec;
  /** The store servers to start: names of `stores/registry.ts`. */
  readonly stores: readonly string[];
  /** Servers of the user. The backends get their URLs; the lab does not start them, and no fault can break them. */
  readonly storeUrls?: StoreUrls;
  /** Settings of the store servers that the lab starts. Default: one member each, with the default settings. */
  readonly storesSpec?: StoresSpec;
  /** Links to create, such as `proxy->backend-1` or `backend-1->redis`. Their ends then connect through them. */
  readonly links?: readonly string[];
  /** Set when other labs run beside this one (see `InTurn`). */
  readonly inTurn?: InTurn | undefined;
}

/**
 * Starts stores, then backends, then the proxy, each as a real process on loopback. Resolves when each process answers
 * and the proxy reports every backend ready. Starts again with other ports when another program took one of its ports.
 * Rejects with `LabError` when a process does not boot, and with
 * `Interrupted` when the signal is aborted. In both cases it first stops everything that it had started.
 */
export async function startCluster(
  spec: ClusterSpec,
  signal: AbortSignal,
  onState: Listeners['onState'],
  onLine?: Listeners['onLine'],
): Promise<LabCluster> {
  for (let triesLeft = startTriesMax; ; triesLeft -= 1) {
    const lab = new Lab({ onState, onLine }, spec.inTurn);
    try {
      return await rejectOnAbort(boot(lab, spec), signal);
    } catch (error) {
      await lab.stop();
      if (triesLeft <= 1 || signal.aborted || !(await hasLostItsPort(error))) throw error;
    }
  }
}

/** Starts the system, or joins the members of the system that already runs. See `startCluster` and `joinMembers`. */
export async function openSystem(
  spec: ClusterSpec,
  signal: AbortSignal,
  onState: Listeners['onState'],
  random: () => number,
): Promise<Cluster> {
  const cluster = await startCluster(spec, signal, onState);
  if (spec.members === undefined) return cluster;
  try {
    return await rejectOnAbort(joinMembers(cluster, spec.members, onState, random), signal);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/**
 * Returns whether another program listens on the port of a process that did not boot. Ports are chosen before their
 * processes start, so a program outside of this one can take a port in between. Call it when the lab is stopped.
 */
async function hasLostItsPort(error: unknown): Promise<boolean> {
  if (!(error instanceof BootFailed)) return false;
  // Another lab that looks for free ports holds each one only for a moment.
  return /address already in use|EADDRINUSE/i.test(error.how) || !(await isFree(error.port, '127.0.0.1'));
}

/** Returns the names of the members that such a cluster starts. */
export function listMemberNames(spec: ClusterSpec): string[] {
  return membersOf({ ...spec, backends: { ...spec.backends, spare: 0 } }).map(({ name }) => name);
}

/** Returns all members of such a cluster, spare backends too. */
export function membersOf(spec: ClusterSpec): Pick<ClusterMember, 'name' | 'role'>[] {
  if (spec.target !== undefined) return [];
  const { count, spare = 0 } = spec.backends;
  const backends = Array.from({ length: count + spare }, (_, index) => backendName(index));
  const stores = ownStores(spec).flatMap(name => shapeOf(name, spec.storesSpec ?? plainStores).members);
  const proxies = spec.proxy === undefined ? [] : proxyNames(spec.proxy);
  return [
    ...stores.map(name => ({ name, role: 'store' as const })),
    ...backends.map(name => ({ name, role: 'backend' as const })),
    ...proxies.map(name => ({ name, role: 'proxy' as const })),
  ];
}

/** Returns the names of the stores that the lab itself starts. Throws `LabError` for an unknown name. */
function ownStores({ stores, storeUrls = {} }: ClusterSpec): StoreServerName[] {
  const unknown = stores.find(name => !isStoreServer(name));
  if (unknown !== undefined) throw new LabError(unknownName('store server', unknown, storeNames));
  return stores.filter(isStoreServer).filter(name => storeUrls[name] === undefined);
}

function backendName(index: number): string {
  return `backend-${index + 1}`;
}

async function boot(lab: Lab, spec: ClusterSpec): Promise<LabCluster> {
  const { links = [], storesSpec = plainStores, target } = spec;
  if (target !== undefined) return clusterOf(lab, { proxies: [{ name: 'proxy', url: target }] });
  const stores = await Promise.all(ownStores(spec).map(name => bootStore(lab, name, { spec: storesSpec, links })));
  const shared = await makeSharedFiles(await lab.directory(), spec.backends.env);
  const runDirectory = path.join(await lab.directory(), 'run');
  await mkdir(runDirectory, { mode: 0o700 });
  const { count, spare = 0 } = spec.backends;
  const ports = await Promise.all(Array.from({ length: count + spare }, freePort));
  const portOf = portsByName(stores, ports);
  await createLinks(lab, collectLinks(spec, stores), portOf);
  const specOf = (name: string, port: number, { version, command, ...release }: Release): ProcessSpec => {
    const storeUrls = { ...spec.storeUrls, ...urlsSeenBy(lab, name, stores) };
    const { own } = spec.backends;
    const env = { ...spec.backends.env, ...release.env };
    const place = { name, port, storeUrls, version };
    if (own === undefined)
      return backendSpec({ ...spec.backends, ...place, env: { ...shared.env, ...env }, mode: spec.mode });
    const program = command === undefined ? own : { ...own, command };
    return ownBackendSpec(program, { ...place, env, runDirectory, store: storesOf(spec.mode)[0] });
  };
  const members = ports.map((port, index) => lab.add(specOf(backendName(index), port, firstRelease)));
  await Promise.all(members.slice(0, count).map(member => lab.boot(member)));
  const seenBy = (from: string) => ports.map((port, index) => lab.portSeenBy(from, backendName(index)) ?? port);
  const proxies = spec.proxy && (await bootProxies(lab, spec.proxy, spec.mode, seenBy));
  await lab.mustRun();
  const cluster = clusterOf(lab, {
    proxies: proxies?.addresses ?? [{ name: 'proxy', url: `http://127.0.0.1:${ports[0]}` }],
    ...(proxies === undefined ? {} : { proxyAdmin: proxies.admin }),
    versions: Object.assign({}, proxies?.versions, ...stores.map(({ versions }) => versions)),
    // A program of the user does not read it.
    secretsFile: spec.backends.own === undefined ? shared.secretsFile : undefined,
  });
  const processes = {
    prepare: (name: string, release: Release) => {
      const member = lab.member(name);
      member.replaceSpec(specOf(name, member.port, release));
    },
    askVersion: (name: string) => askVersion(lab.member(name).port, spec.backends.own),
  };
  return { ...cluster, deployer: new LabDeployer(cluster, processes, firstRelease) };
}

/** Returns the version that a backend names in its answer to a health check. Undefined when it names none. */
async function askVersion(port: number, own: OwnBackend | undefined): Promise<string | undefined> {
  const { headers } = await ask('GET', `http://127.0.0.1:${port}${own?.ready.http ?? '/health'}`, versionWithinMs);
  const version = headers[versionHeader];
  return typeof version === 'string' ? version : undefined;
}

function clusterOf(lab: Lab, known: Pick<Cluster, 'proxies'> & Partial<LabCluster>): LabCluster {
  return {
    proxyUrl: known.proxies[0]?.url ?? '',
    proxyAdmin: noProxy,
    members: lab.members,
    versions: {},
    secretsFile: undefined,
    member: name => lab.member(name),
    link: name => lab.linkOf(name),
    shell: (command, withinMs, signal) => lab.shell(command, withinMs, signal),
    stop: () => lab.stop(),
    ...known,
  };
}

/** Returns the requested links, and the links of all backends to addresses that move: a promotion retargets those. */
function collectLinks({ links = [], backends }: ClusterSpec, stores: readonly BootedStore[]): ReadonlySet<string> {
  const moving = stores.flatMap(store => store.movingAddresses);
  const { count, spare = 0 } = backends;
  const names = Array.from({ length: count + spare }, (_, index) => backendName(index));
  return new Set([...links, ...names.flatMap(name => moving.map(address => `${name}->${address}`))]);
}

/** Creates the links, except those between store members: they exist already. */
async function createLinks(lab: Lab, links: ReadonlySet<string>, portOf: ReadonlyMap<string, number>): Promise<void> {
  for (const link of links) {
    const [from = '', to = ''] = endsOf(link) ?? [];
    if (lab.portSeenBy(from, to) !== undefined) continue;
    const port = portOf.get(to);
    if (port === undefined)
      throw new LabError(`the link ${link} leads to an unknown member; there are ${[...portOf.keys()]}`);
    await lab.link(link, port);
  }
}

/** Returns the URLs of the stores for one member. They lead through its links where it has some. */
function urlsSeenBy(lab: Lab, from: string, stores: readonly BootedStore[]): StoreUrls {
  const urls = stores.map(store => store.url(name => lab.portSeenBy(from, name) ?? store.ports.get(name) ?? 0));
  return Object.assign({}, ...urls);
}

function portsByName(stores: readonly BootedStore[], backendPorts: readonly number[]): ReadonlyMap<string, number> {
  const backends = backendPorts.map((port, index) => [backendName(index), port] as const);
  return new Map([...stores.flatMap(({ ports }) => [...ports]), ...backends]);
}

interface SharedFiles {
  /** Environment variables for the backends. The variables of the scenario have precedence. */
  readonly env: Readonly<Record<string, string>>;
  /** The file with the new key ring of all backends. Undefined when the scenario sets its own secrets. */
  readonly secretsFile: string | undefined;
}

/** Creates the files that all backends of one lab share: their key ring and the accounts of the shop. */
async function makeSharedFiles(directory: string, given: Readonly<Record<string, string>>): Promise<SharedFiles> {
  const accounts = path.join(directory, 'accounts');
  await mkdir(accounts, { mode: 0o700 });
  if (given.SHOP_SECRETS !== undefined || given.SHOP_SECRETS_FILE !== undefined)
    return { env: { SHOP_ACCOUNTS: accounts }, secretsFile: undefined };
  const secretsFile = path.join(directory, 'secrets');
  await writeFile(secretsFile, formatKeyRing(generateKeyRing()), { mode: 0o600, flag: 'wx' });
  return { env: { SHOP_ACCOUNTS: accounts, SHOP_SECRETS_FILE: secretsFile }, secretsFile };
}
