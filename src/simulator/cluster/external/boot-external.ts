import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type Mode, modes } from '../../../modes.js';
import { LabError } from '../../errors.js';
import type { ProxyAdmin, ProxyBackend } from '../cluster.js';
import type { Lab } from '../lab.js';
import { waitUntil } from '../probe.js';
import type { ProxyPlace, ProxySpec } from '../proxy.js';
import { ExternalAdmin, type TemplateSettings } from './external-admin.js';
import { type ExternalPlace, type ExternalProxy, externalProxySpec } from './external-proxy.js';

const statesWithinMs = 10_000;
/** Time limit until new visits have reached every backend. A proxy that hashes the address never sends them to all. */
const sampledWithinMs = 3_000;

export interface BootedExternal {
  readonly admin: ProxyAdmin;
  readonly versions: Readonly<Record<string, string>>;
}

/** Starts one process of an external proxy. Resolves when it is ready and uses the backends, as far as it tells that. */
export async function bootExternal(
  lab: Lab,
  spec: ProxySpec,
  external: ExternalProxy,
  place: ProxyPlace,
): Promise<BootedExternal> {
  const own = await externalPlace(lab, external, place);
  const member = lab.add(externalProxySpec(external, own));
  const backends = place.backendPorts.map((port, index) => {
    const name = `backend-${index + 1}`;
    return { name, port, spare: isSpare(lab, name) };
  });
  const signal = new AbortController().signal;
  const admin = new ExternalAdmin(external, own, settingsOf(spec, place.mode), backends, () => ({
    member,
    signal,
    shell: (...run) => lab.shell(...run),
  }));
  await admin.writeConfig();
  const [version] = await Promise.all([admin.version(), lab.boot(member)]);
  const names = backends.filter(({ spare }) => !spare).map(({ name }) => name);
  await waitUsed(lab, admin, external, names);
  return { admin, versions: version === undefined ? {} : { [external.name]: version } };
}

async function externalPlace(
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

function settingsOf(spec: ProxySpec, mode: ProxyPlace['mode']): TemplateSettings {
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

async function waitUsed(
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
  const isUsed = await waitUntil(allReady, admin.isSampled ? sampledWithinMs : statesWithinMs);
  if (isUsed) return;
  if (admin.isSampled) return admin.trustUnseen();
  const said = seen.map(one => `${one.name} ${one.state}`).join(', ') || 'no state';
  const missing = backends.filter(backend => !isReady(backend)).join(', ');
  throw new LabError(
    `${name} did not report ${missing} ready in ${statesWithinMs / 1000} s: ${problem || `its command "states" printed ${said}`}`,
  );
}

/** Returns whether this is a backend that was not started. Names that only the proxy knows are not spare. */
export function isSpare({ members }: Lab, backend: string): boolean {
  return members.some(({ name, pid }) => name === backend && pid === undefined);
}
