import { closeSync, openSync } from 'node:fs';
import { ownDescriptorPlan } from '../../proxy/front/open-files.js';
import type { ProxyOptions, RunningProxy } from '../../proxy/options.js';
import { startProxy } from '../../proxy/start-proxy.js';
import { LabError } from '../../simulator/errors.js';
import { exitCodes } from '../lib/exit.js';
import { FileWatch, readBackendsFile } from './backends-file.js';
import { Discovery } from './discovery.js';
import type { ProxyArgs } from './flags.js';
import { adminTokenAdvice, explainStart, parseServer } from './listen-options.js';
import { balanceAdvice, checkBackend, keyRingAdvice } from './options.js';
import { readNumber } from './setting-numbers.js';
import type { ProxySettings } from './settings.js';
import { ProxySite } from './site.js';
import { devTls, tlsAdvice } from './tls-options.js';

/** Runs the proxy in this process before the given backends until it is told to stop. SIGHUP, and a change of
 * `--backends-file`, reload it. */
export async function serve(
  settings: ProxySettings,
  read: () => Promise<ProxySettings>,
  signal: AbortSignal,
  onHangUp: (own: () => void) => void,
): Promise<number> {
  const site = new ProxySite();
  const watch = new FileWatch(() => reload());
  const discovery = new Discovery(() => reload());
  const next = async (given: ProxySettings): Promise<ProxyOptions> => {
    const { args } = given;
    const texts = given.checked(readBackends);
    watch.follow(args['backends-file']);
    const [everyMs, server] = given.checked(args => [readNumber('resolve', args), parseServer(args)] as const);
    const found = await discovery.expand(texts, everyMs, server);
    const options = given.checked(args => site.options(args, found));
    for (const line of [...tlsAdvice(args), ...balanceAdvice(args), ...keyRingAdvice(args), ...adminTokenAdvice(args)])
      process.stderr.write(`${line}\n`);
    return { ...options, ...(await devTls(given.args)) };
  };
  const options = await next(settings);
  for (const line of openFilesAdvice(options.workers)) process.stderr.write(`${line}\n`);
  const started = startProxy(options, signal);
  const reload = makeReload(started, async () => next(await read()));
  onHangUp(hangUp(reload));
  const proxy = await started.catch(error => (signal.aborted ? undefined : explainStart(error, options)));
  site.begin();
  const failure = proxy && (await Promise.race([aborted(signal), proxy.failed]));
  watch.stop();
  discovery.stop();
  await proxy?.close();
  if (failure !== undefined) throw new LabError(failure);
  return signal.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.ok;
}

/** Returns the backends of the command line and of the file, each as for `--backend`. */
function readBackends({ backend = [], 'backends-file': file }: ProxyArgs): readonly string[] {
  return [...backend, ...(file === undefined ? [] : readBackendsFile(file, checkBackend))];
}

const fewClients = 1000;

/** Warns when the limit of open files allows fewer clients than a site usually has. */
function openFilesAdvice(workers = 1): readonly string[] {
  const { clients, filesMax } = ownDescriptorPlan();
  if (clients >= fewClients) return [];
  const each = workers === 1 ? '' : ' in each worker';
  return [`at most ${clients} connections of clients${each}: ${filesMax} files may be open; ulimit -n allows more`];
}

function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}

/** Returns a function that reads all settings again. Calls that come before it has read them cause one reload. */
function makeReload(started: Promise<RunningProxy>, read: () => Promise<ProxyOptions>): () => void {
  let waiting = false;
  const readOnce = () => {
    waiting = false;
    return read();
  };
  return () => {
    if (waiting) return;
    waiting = true;
    void started.then(proxy => proxy.reload(readOnce)).catch(() => {});
  };
}

/**
 * Returns the handler of SIGHUP: it reads the file, the key ring and the certificates again. A closed terminal sends
 * SIGHUP too: the proxy then stops, because no user could stop it.
 */
function hangUp(reload: () => void): () => void {
  const atTerminal = hasTerminal();
  return () => {
    if (atTerminal && !hasTerminal()) process.kill(process.pid, 'SIGTERM');
    else reload();
  };
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
