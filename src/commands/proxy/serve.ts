import { closeSync, openSync } from 'node:fs';
import { ownDescriptorPlan } from '../../proxy/front/open-files.js';
import type { ProxyOptions, RunningProxy } from '../../proxy/options.js';
import type { Predecessor } from '../../proxy/restart/predecessor.js';
import { buildReadyWords, buildReloadingWords, notifyServiceManager } from '../../proxy/restart/service-manager.js';
import { readActivation } from '../../proxy/restart/socket-activation.js';
import type { OpenSockets, Takeover } from '../../proxy/restart/takeover.js';
import { startProxy } from '../../proxy/start-proxy.js';
import { messageOf } from '../../shared/error-message.js';
import { LabError } from '../../simulator/errors.js';
import { UsageError } from '../lib/errors.js';
import { exitCodes } from '../lib/exit.js';
import { Discovery } from './discovery.js';
import { FileWatch } from './file-watch.js';
import type { ProxyArgs } from './flags.js';
import { explainStart, parseServer } from './listen-options.js';
import { checkBackend, listBalanceWarnings } from './options.js';
import { ProcessReplacement, replaced } from './process-replacement.js';
import { listSecretFileWarnings } from './secret-file.js';
import { readNumber } from './setting-numbers.js';
import type { ProxySettings } from './settings.js';
import { ProxySite } from './site.js';
import { checkCertificates, listTlsWarnings, makeDevTls } from './tls-options.js';

/** How the command line is connected to the process. */
export interface ServeContext {
  readonly signal: AbortSignal;
  /** Reads the settings again. */
  readonly read: () => Promise<ProxySettings>;
  readonly onSignal: (name: 'SIGHUP' | 'SIGUSR2', own: () => void) => void;
  /** The proxy that this process replaces. */
  readonly predecessor: Predecessor | undefined;
}

/**
 * Runs the proxy in this process before the given backends until it is told to stop, or a successor serves. SIGHUP, and a
 * change of `--backends-file`, reload it. SIGUSR2 starts a successor.
 */
export async function serve(settings: ProxySettings, context: ServeContext): Promise<number> {
  const { signal, read, onSignal, predecessor } = context;
  const snapshot = await predecessor?.askSnapshot();
  const site = new ProxySite(snapshot?.site);
  const fileWatch = new FileWatch(() => reload());
  const discovery = new Discovery(() => reload());
  const buildOptions = async (given: ProxySettings): Promise<ProxyOptions> => {
    const { args } = given;
    const pools = given.hosts.flatMap(({ args }) => [...listTlsWarnings(args), ...listBalanceWarnings(args)]);
    const readFile = await loadFileReader(args);
    const texts = given.checked(args => readBackends(args, readFile));
    fileWatch.follow(args['backends-file']);
    const everyMs = given.checked(args => readNumber('resolve', args));
    const server = given.checked(args => parseServer(args, everyMs));
    const found = await discovery.expand(texts, everyMs, server);
    const options = given.checked(args => site.options(args, found, given.hosts));
    const advice = [
      ...listTlsWarnings(args),
      ...listBalanceWarnings(args),
      ...listSecretFileWarnings(args['secrets-file'], 'the key ring'),
      ...listSecretFileWarnings(args['admin-token-file'], 'the admin token'),
    ];
    for (const line of [...advice, ...pools]) process.stderr.write(`${line}\n`);
    return checkCertificates({ ...options, ...(await makeDevTls(given.args)) });
  };
  const options = await buildOptions(settings);
  for (const line of listOpenFilesWarnings(options.workers)) process.stderr.write(`${line}\n`);
  const sockets = predecessor ?? findActivatedSockets();
  const started = startProxy(
    options,
    signal,
    sockets && { snapshot: snapshot?.proxy, sockets, follow: makeFollow(predecessor) },
  );
  const reload = makeReload(started, async () => buildOptions(await read()));
  onSignal('SIGHUP', makeHangUpHandler(reload));
  const replacement = new ProcessReplacement(started, site, signal);
  onSignal('SIGUSR2', () => replacement.start());
  const proxy = await started.catch(error => (signal.aborted ? undefined : explainStart(error, options)));
  site.begin();
  if (proxy !== undefined) await notify(...buildReadyWords(process.pid));
  predecessor?.reportServing();
  const end = proxy && (await Promise.race([waitForAbort(signal), proxy.failed, replacement.done]));
  fileWatch.stop();
  discovery.stop();
  if (end !== replaced) await notify('STOPPING=1');
  await proxy?.close(undefined, end === replaced);
  if (typeof end === 'string') throw new LabError(end);
  return signal.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.ok;
}

type FileReader = typeof import('./backends-file.js').readBackendsFile;

/** Loads the reader of `--backends-file`. Most proxies have no file and need no YAML parser. */
async function loadFileReader({ 'backends-file': file }: ProxyArgs): Promise<FileReader | undefined> {
  return file === undefined ? undefined : (await import('./backends-file.js')).readBackendsFile;
}

/** Returns the backends of the command line and of the file, each as for `--backend`. */
function readBackends({ backend = [], 'backends-file': file }: ProxyArgs, readFile?: FileReader): readonly string[] {
  return [...backend, ...(file === undefined ? [] : (readFile?.(file, checkBackend) ?? []))];
}

const fewClients = 1000;

/** Warns when the limit of open files allows fewer clients than a site usually has. */
function listOpenFilesWarnings(workers = 1): readonly string[] {
  const { clients, filesMax } = ownDescriptorPlan();
  if (clients >= fewClients) return [];
  const each = workers === 1 ? '' : ' in each worker';
  return [`at most ${clients} connections of clients${each}: ${filesMax} files may be open; ulimit -n allows more`];
}

function findActivatedSockets(): OpenSockets | undefined {
  try {
    return readActivation(process.env, process.pid);
  } catch (error) {
    throw new UsageError(`${messageOf(error)}.`);
  }
}

function makeFollow(predecessor: Predecessor | undefined): Takeover['follow'] {
  return predecessor && (adopt => predecessor.follow(adopt));
}

async function notify(...words: readonly string[]): Promise<void> {
  const problem = await notifyServiceManager(...words);
  if (problem !== undefined) process.stderr.write(`${problem}\n`);
}

function waitForAbort(signal: AbortSignal): Promise<undefined> {
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
    void started.then(proxy => reloadNow(proxy, readOnce)).catch(() => {});
  };
}

async function reloadNow(proxy: RunningProxy, read: () => Promise<ProxyOptions>): Promise<void> {
  await notify(...buildReloadingWords(process.hrtime.bigint()));
  await proxy.reload(read);
  await notify('READY=1');
}

/**
 * Returns the handler of SIGHUP: it reads the file, the key ring and the certificates again. A closed terminal sends
 * SIGHUP too: the proxy then stops, because no user could stop it.
 */
function makeHangUpHandler(reload: () => void): () => void {
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
