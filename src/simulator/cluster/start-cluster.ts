import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type ModeName, storesOf } from '../../modes.js';
import type { StoreServerName, StoreUrls } from '../../store-addresses.js';
import { unknownName } from '../../unknown-name.js';
import { LabError } from '../errors.js';
import { interruptible } from '../interruptible.js';
import { backendSpec } from './backend.js';
import type { Cluster, ProxyAdmin } from './cluster.js';
import { freePort, isFree } from './free-port.js';
import { Lab } from './lab.js';
import { type OwnBackend, ownBackendSpec } from './own-backend.js';
import { eventually } from './probe.js';
import type { Listeners } from './process-member.js';
import { type ProxySpec, proxySpec } from './proxy.js';
import { proxyAdmin } from './proxy-admin.js';
import type { ProgramRun } from './run-program.js';
import { makeSharedFiles } from './shared-files.js';
import { isStoreServer, storeServerNames, storeServers } from './stores/registry.js';

const proxyReadyWithinMs = 10_000;

export interface ClusterSpec {
  readonly mode: ModeName;
  /** The address of a system that runs already: then nothing of all below is started. */
  readonly target?: string | undefined;
  readonly backends: {
    readonly count: number;
    readonly env: Readonly<Record<string, string>>;
    /** A Node program in place of the toy shop. */
    readonly program?: string;
    /** A program of the user's own in place of it. */
    readonly own?: OwnBackend | undefined;
  };
  /** Without it only backends and stores run, and `proxyUrl` is the first backend's own address. */
  readonly proxy?: ProxySpec;
  /** The store servers that are wanted: names of `stores/registry.ts`. */
  readonly stores: readonly string[];
  /** Servers of the user's own: told to the backends, never started, never struck. */
  readonly storeUrls?: StoreUrls;
  /** What the stores that are started here may keep, where it is not theirs to say. */
  readonly memoryMb?: { readonly [store in StoreServerName]?: number | undefined };
  /** The links that are wanted, `proxy->backend-1`, `backend-1->redis`: what they join then goes through them. */
  readonly links?: readonly string[];
}

/**
 * Starts stores, then backends, then the proxy, each a real process on loopback, and resolves when every one answers and
 * the proxy reports every backend ready. Rejects with `LabError` when one does not boot, with `Interrupted` when
 * the signal is aborted; whatever had started is then gone.
 */
export async function startCluster(
  spec: ClusterSpec,
  signal: AbortSignal,
  onState: Listeners['onState'],
  onLine?: Listeners['onLine'],
): Promise<Cluster> {
  const lab = new Lab({ onState, onLine });
  try {
    return await interruptible(boot(lab, spec), signal);
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

/** The names of the members that such a cluster has. */
export function memberNames(spec: ClusterSpec): string[] {
  if (spec.target !== undefined) return [];
  const names = Array.from({ length: spec.backends.count }, (_, index) => backendName(index));
  return [...ownStores(spec), ...names, ...(spec.proxy === undefined ? [] : ['proxy'])];
}

/** The stores that the lab starts itself. */
function ownStores({ stores, storeUrls = {} }: ClusterSpec): StoreServerName[] {
  const unknown = stores.find(name => !isStoreServer(name));
  if (unknown !== undefined) throw new LabError(unknownName('store server', unknown, storeServerNames));
  return stores.filter(isStoreServer).filter(name => storeUrls[name] === undefined);
}

function backendName(index: number): string {
  return `backend-${index + 1}`;
}

async function boot(lab: Lab, spec: ClusterSpec): Promise<Cluster> {
  if (spec.target !== undefined) return clusterOf(lab, { proxyUrl: spec.target });
  const stores = await Promise.all(ownStores(spec).map(name => bootStore(lab, name, spec.memoryMb?.[name])));
  const shared = await makeSharedFiles(await lab.directory(), spec.backends.env);
  const storeUrls = Object.assign({}, spec.storeUrls, ...stores.map(({ url }) => url));
  const ports = await Promise.all(Array.from({ length: spec.backends.count }, freePort));
  const portOf = portsByName(stores, ports);
  for (const link of spec.links ?? []) await lab.link(link, portOf);
  const backends = ports.map((port, index) => {
    const name = backendName(index);
    const place = { name, port, storeUrls: lab.urlsSeenBy(name, storeUrls) };
    const { own, env } = spec.backends;
    if (own !== undefined) return ownBackendSpec(own, { ...place, env, store: storesOf(spec.mode)[0] });
    return backendSpec({ ...spec.backends, ...place, env: { ...shared.env, ...env }, mode: spec.mode });
  });
  await Promise.all(backends.map(backend => lab.start(backend)));
  const seen = ports.map((port, index) => lab.portSeenBy('proxy', backendName(index)) ?? port);
  const proxy = spec.proxy && (await bootProxy(lab, spec.proxy, spec.mode, seen));
  await lab.mustRun();
  return clusterOf(lab, {
    proxyUrl: proxy?.url ?? `http://127.0.0.1:${ports[0]}`,
    ...(proxy === undefined ? {} : { proxyAdmin: proxy.admin }),
    versions: Object.assign({}, ...stores.map(({ versions }) => versions)),
    // The user's own program knows nothing of it.
    secretsFile: spec.backends.own === undefined ? shared.secretsFile : undefined,
  });
}

function clusterOf(lab: Lab, known: Pick<Cluster, 'proxyUrl'> & Partial<Cluster>): Cluster {
  return {
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

async function bootStore(lab: Lab, name: StoreServerName, memoryMb: number | undefined) {
  const directory = path.join(await lab.directory(), name);
  await mkdir(directory, { mode: 0o700 });
  const place = { port: await freePort(), directory, memoryMb, run: (program: ProgramRun) => lab.run(program) };
  const prepared = await storeServers[name]?.prepare(place);
  if (prepared === undefined) throw new LabError(unknownName('store server', name, storeServerNames));
  await lab.start(prepared.spec);
  return { name, port: place.port, url: { [name]: prepared.url }, versions: prepared.versions };
}

function portsByName(
  stores: readonly { readonly name: string; readonly port: number }[],
  backendPorts: readonly number[],
): ReadonlyMap<string, number> {
  const backends = backendPorts.map((port, index) => [backendName(index), port] as const);
  return new Map([...stores.map(({ name, port }) => [name, port] as const), ...backends]);
}

async function bootProxy(lab: Lab, spec: ProxySpec, mode: ModeName, backendPorts: readonly number[]) {
  const host = spec.host ?? '127.0.0.1';
  const port = await portFor(spec.port, host, '--port');
  const adminPort = await portFor(spec.adminPort, '127.0.0.1', '--admin-port');
  await lab.start(proxySpec(spec, { mode, port, adminPort, backendPorts }));
  const admin = proxyAdmin(`http://127.0.0.1:${adminPort}`);
  await waitAllReady(admin, lab);
  return { url: `http://${host}:${port}`, admin };
}

async function portFor(wanted: number | undefined, host: string, flag: string): Promise<number> {
  if (wanted === undefined || wanted === 0) return freePort();
  if (await isFree(wanted, host)) return wanted;
  throw new LabError(`port ${wanted} on ${host} is in use; choose another with ${flag}, or 0 for any free one`);
}

async function waitAllReady(admin: ProxyAdmin, lab: Lab): Promise<void> {
  let seen = 'nothing yet';
  const allReady = async (): Promise<boolean> => {
    await lab.mustRun();
    const backends = await admin.backends();
    seen = backends.map(({ name, state }) => `${name} ${state}`).join(', ');
    return backends.every(backend => backend.state === 'ready');
  };
  const ready = await eventually(allReady, proxyReadyWithinMs).catch((error: Error) => {
    if (error instanceof LabError) throw error;
    throw new LabError(`the proxy came up and then failed: ${error.message}`);
  });
  if (!ready) throw new LabError(`the proxy did not report every backend ready in ${proxyReadyWithinMs} ms: ${seen}`);
}

const noProxy: ProxyAdmin = { drain: refuse, ready: refuse, backends: refuse };

async function refuse(): Promise<never> {
  throw new LabError('this cluster was started without a proxy');
}
