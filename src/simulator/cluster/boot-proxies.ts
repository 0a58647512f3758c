import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type Mode, type ModeName, modes } from '../../modes.js';
import { LabError } from '../errors.js';
import type { ClusterMember, ProxyAddress, ProxyAdmin, ProxyBackend } from './cluster.js';
import { ExternalAdmin, type TemplateSettings } from './external/external-admin.js';
import { type ExternalPlace, type ExternalProxy, externalProxySpec } from './external/external-proxy.js';
import type { Lab } from './lab.js';
import { ask, waitUntil } from './probe.js';
import { freePort, isFree } from './processes/free-port.js';
import { type ProxyPlace, type ProxySpec, proxyNames, proxySpec } from './proxy.js';

const proxyReadyWithinMs = 10_000;
const externalReadyWithinMs = 10_000;
/** Time limit until new visits have reached every backend. A proxy that hashes the address never sends them to all. */
const sampledWithinMs = 3_000;

interface BootedProxy {
  readonly admin: ProxyAdmin;
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * Starts the proxies. Resolves when each of them answers and reports every backend ready.
 * `portsSeenBy` returns the ports at which a proxy reaches the backends.
 */
export async function bootProxies(
  lab: Lab,
  spec: ProxySpec,
  mode: ModeName,
  portsSeenBy: (proxy: string) => readonly number[],
): Promise<BootedProxy & { readonly addresses: readonly ProxyAddress[] }> {
  const secrets = `lab:${randomBytes(32).toString('hex')}`;
  const places = await Promise.all(
    proxyNames(spec).map(async (name, index) => {
      const ports = await choosePorts(spec, index);
      return { name, secrets, mode, ...ports, backendPorts: portsSeenBy(name) };
    }),
  );
  const { external } = spec;
  const booted = await Promise.all(
    places.map(place =>
      external === undefined ? bootProxy(lab, spec, place) : bootExternal(lab, spec, external, place),
    ),
  );
  const addresses = places.map(({ name, port }) => ({ name, url: `http://${spec.host ?? '127.0.0.1'}:${port}` }));
  const known = places.map(({ name }, index) => ({ member: lab.member(name), admin: booted[index]?.admin ?? noProxy }));
  return { addresses, admin: combineAdmins(known), versions: booted[0]?.versions ?? {} };
}

async function bootProxy(lab: Lab, spec: ProxySpec, place: ProxyPlace): Promise<BootedProxy> {
  await lab.start(proxySpec(spec, place));
  const admin = proxyAdmin(`http://127.0.0.1:${place.adminPort}`);
  await waitAllReady(admin, lab);
  return { admin, versions: {} };
}

/** Returns the ports of one proxy. The first proxy gets the ports that the user asked for. */
async function choosePorts(spec: ProxySpec, index: number): Promise<{ port: number; adminPort: number }> {
  const { host = '127.0.0.1', port, adminPort } = index === 0 ? spec : {};
  return {
    port: await choosePort(port, host, '--port'),
    adminPort: await choosePort(adminPort, '127.0.0.1', '--admin-port'),
  };
}

async function choosePort(wanted: number | undefined, host: string, flag: string): Promise<number> {
  if (wanted === undefined || wanted === 0) return freePort();
  if (await isFree(wanted, host)) return wanted;
  throw new LabError(`port ${wanted} on ${host} is in use; choose another with ${flag}, or 0 for any free one`);
}

async function waitAllReady(admin: ProxyAdmin, lab: Lab): Promise<void> {
  let seen = 'nothing yet';
  const allReady = async (): Promise<boolean> => {
    await lab.mustRun();
    const backends = (await admin.backends()).filter(({ name }) => !isSpare(lab, name));
    seen = backends.map(({ name, state }) => `${name} ${state}`).join(', ');
    return backends.every(backend => backend.state === 'ready');
  };
  const ready = await waitUntil(allReady, proxyReadyWithinMs).catch((error: Error) => {
    if (error instanceof LabError) throw error;
    throw new LabError(`the proxy came up and then failed: ${error.message}`);
  });
  if (!ready) throw new LabError(`the proxy did not report every backend ready in ${proxyReadyWithinMs} ms: ${seen}`);
}

/** Starts one process of an external proxy. Resolves when it is ready and uses the backends, as far as it tells that. */
async function bootExternal(
  lab: Lab,
  spec: ProxySpec,
  external: ExternalProxy,
  place: ProxyPlace,
): Promise<BootedProxy> {
  const own = await makeExternalPlace(lab, external, place);
  const member = lab.add(externalProxySpec(external, own));
  const backends = place.backendPorts.map((port, index) => {
    const name = `backend-${index + 1}`;
    return { name, port, spare: isSpare(lab, name) };
  });
  const signal = new AbortController().signal;
  const admin = new ExternalAdmin(external, own, templateSettings(spec, place.mode), backends, () => ({
    member,
    signal,
    shell: (...run) => lab.shell(...run),
  }));
  await admin.writeConfig();
  const [version] = await Promise.all([admin.version(), lab.boot(member)]);
  const names = backends.filter(({ spare }) => !spare).map(({ name }) => name);
  await waitExternalUsed(lab, admin, external, names);
  return { admin, versions: version === undefined ? {} : { [external.name]: version } };
}

async function makeExternalPlace(
  lab: Lab,
  { config }: ExternalProxy,
  { name, port, adminPort, secrets }: ProxyPlace,
): Promise<ExternalPlace> {
  const runDirectory = path.join(await lab.directory(), 'proxy');
  // A server that gives up root must enter it.
  await mkdir(runDirectory, { mode: 0o711, recursive: true });
  const secret = secrets.replace(/^.*:/, '');
  const file = `${name}-${nameConfig(config?.file ?? 'none')}`;
  return { name, port, adminPort, secret, runDirectory, config: path.join(runDirectory, file) };
}

/** Returns a name for the file made of a template. It ends like that of the template, because some programs look at
 * that. The shell reads it as one word. */
export function nameConfig(template: string): string {
  return path
    .basename(template)
    .replace(/\.tmpl$/, '')
    .replaceAll(/[^\w.+-]/g, '-');
}

function templateSettings(spec: ProxySpec, mode: ProxyPlace['mode']): TemplateSettings {
  const { everyMs, timeoutMs, fall, rise, path: healthPath = '/health' } = spec.health ?? healthByDefault;
  const byMode: Mode = modes[mode];
  return {
    mode,
    affinity: spec.affinity === undefined ? byMode.affinity : spec.affinity !== 'off',
    'name-backends': spec.extra?.includes('--name-backends') ?? false,
    'health.path': healthPath,
    'health.every-ms': everyMs,
    'health.timeout-ms': timeoutMs,
    'health.fall': fall,
    'health.rise': rise,
    'health.down-s': Math.max(1, Math.ceil((everyMs * fall) / 1000)),
    'drain-ms': spec.drainMs ?? 1_000,
    maxconn: spec.maxconn ?? false,
    queue: spec.queue ?? false,
    'queue-timeout-ms': spec.queueTimeoutMs ?? 5_000,
  };
}

const healthByDefault: NonNullable<ProxySpec['health']> = { everyMs: 500, timeoutMs: 300, fall: 2, rise: 2 };

async function waitExternalUsed(
  lab: Lab,
  admin: ExternalAdmin,
  { name }: ExternalProxy,
  backends: readonly string[],
): Promise<void> {
  let seen: readonly ProxyBackend[] = [];
  let problem = '';
  const isReady = (backend: string) => seen.some(one => one.name === backend && one.state === 'ready');
  const allReady = async (): Promise<boolean> => {
    await lab.mustRun();
    seen = await admin.backends().catch((error: Error) => {
      problem = error.message;
      return [];
    });
    if (seen.length > 0) problem = '';
    return backends.every(isReady);
  };
  const isUsed = await waitUntil(allReady, admin.isSampled ? sampledWithinMs : externalReadyWithinMs);
  if (isUsed) return;
  if (admin.isSampled) return admin.trustUnseen();
  const said = seen.map(one => `${one.name} ${one.state}`).join(', ') || 'no state';
  const missing = backends.filter(backend => !isReady(backend)).join(', ');
  throw new LabError(
    `${name} did not report ${missing} ready in ${externalReadyWithinMs / 1000} s: ${problem || `its command "states" printed ${said}`}`,
  );
}

/** Returns whether this is a backend that was not started. Names that only the proxy knows are not spare. */
function isSpare({ members }: Lab, backend: string): boolean {
  return members.some(({ name, pid }) => name === backend && pid === undefined);
}

export const noProxy: ProxyAdmin = { drain: refuse, ready: refuse, backends: refuse };

async function refuse(): Promise<never> {
  throw new LabError('this cluster was started without a proxy');
}

const answerWithinMs = 2_000;

/** Returns a client of the proxy's admin API. Each call rejects when the expected answer does not arrive within 2 s. */
function proxyAdmin(adminUrl: string): ProxyAdmin {
  return {
    drain: backend => put(backend, 'drain'),
    ready: backend => put(backend, 'ready'),
    async backends() {
      const { status, json } = await ask('GET', `${adminUrl}/backends`, answerWithinMs);
      if (status !== 200 || !isList(json))
        throw new Error(`GET ${adminUrl}/backends answered ${status}; expected 200 and {"backends": [...]}`);
      return json.backends;
    },
  };

  async function put(backend: string, state: 'drain' | 'ready'): Promise<void> {
    const url = `${adminUrl}/backends/${encodeURIComponent(backend)}`;
    const { status } = await ask('PUT', url, answerWithinMs, { state });
    if (status >= 300) throw new Error(`PUT ${url} {"state":"${state}"} answered ${status}; expected 200`);
  }
}

/** Returns one admin API for all proxies. It calls each proxy that is up, and leaves out killed and stopped ones. */
function combineAdmins(
  proxies: readonly { readonly member: Pick<ClusterMember, 'state'>; readonly admin: ProxyAdmin }[],
): ProxyAdmin {
  async function askEach<T>(ask: (admin: ProxyAdmin) => Promise<T>): Promise<readonly T[]> {
    const up = proxies.length === 1 ? proxies : proxies.filter(({ member }) => member.state === 'up');
    if (up.length === 0) throw new Error('no proxy is up');
    return Promise.all(up.map(({ admin }) => ask(admin)));
  }
  const canReload = proxies.every(({ admin }) => admin.reload !== undefined);
  return {
    ...(proxies.some(({ admin }) => admin.isSampled) && { isSampled: true }),
    ...(canReload && { reload: async order => void (await askEach(async admin => admin.reload?.(order))) }),
    drain: async backend => void (await askEach(admin => admin.drain(backend))),
    ready: async backend => void (await askEach(admin => admin.ready(backend))),
    async backends() {
      const [first = [], ...others] = await askEach(admin => admin.backends());
      return first.map(backend => others.flat().filter(isSame(backend)).reduce(mergeStates, backend));
    },
  };
}

const isSame =
  ({ name }: ProxyBackend) =>
  (other: ProxyBackend) =>
    other.name === name;

const worstFirst: readonly ProxyBackend['state'][] = ['down', 'ejected', 'draining', 'ready'];

function mergeStates(one: ProxyBackend, other: ProxyBackend): ProxyBackend {
  return {
    name: one.name,
    state: worstFirst.find(state => one.state === state || other.state === state) ?? one.state,
    drained: one.drained && other.drained,
    inFlight: one.inFlight + other.inFlight,
    bound: one.bound + other.bound,
  };
}

function isList(json: unknown): json is { readonly backends: readonly ProxyBackend[] } {
  return typeof json === 'object' && json !== null && 'backends' in json && Array.isArray(json.backends);
}
