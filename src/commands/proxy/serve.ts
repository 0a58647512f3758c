import { closeSync, openSync, statSync, unwatchFile, watchFile } from 'node:fs';
import { ownDescriptorPlan } from '../../proxy/limits.js';
import type { ProxyOptions, RunningProxy } from '../../proxy/options.js';
import { type Predecessor, startSuccessor } from '../../proxy/restart/handover.js';
import {
  buildReadyWords,
  buildReloadingWords,
  notifyServiceManager,
  readActivation,
} from '../../proxy/restart/systemd.js';
import type { OpenSockets, ReplaceableProxy, Takeover } from '../../proxy/restart/takeover.js';
import { startProxy } from '../../proxy/start-proxy.js';
import { messageOf } from '../../shared/text.js';
import { LabError } from '../../simulator/errors.js';
import { exitCodes } from '../lib/exit.js';
import { UsageError } from '../lib/flags.js';
import { errorColours } from '../lib/streams.js';
import { Discovery } from './discovery.js';
import { type ProxyArgs, readNumber } from './flags.js';
import { explainStart, parseServer } from './listen-options.js';
import { checkBackend, listBalanceWarnings } from './options.js';
import type { ProxySettings } from './settings.js';
import { ProxySite } from './site.js';
import { checkCertificates, listTlsWarnings, makeDevTls } from './tls-options.js';

/** Signals, settings and predecessor, which the command line passes to a running proxy. */
export interface ServeContext {
  readonly signal: AbortSignal;
  /** Reads the settings again. */
  readonly read: () => Promise<ProxySettings>;
  readonly onSignal: (name: 'SIGHUP' | 'SIGUSR2', own: () => void) => void;
  /** The proxy that this process replaces. */
  readonly predecessor: Predecessor | undefined;
}

/**
 * Runs the proxy in this process in front of the given backends until it is told to stop, or a successor serves.
 * SIGHUP, and a change of `--backends-file`, reload it. SIGUSR2 starts a successor.
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

type FileReader = typeof import('./settings.js').readBackendsFile;

/** Loads the reader of `--backends-file`. Most proxies have no file and need no YAML parser. */
async function loadFileReader({ 'backends-file': file }: ProxyArgs): Promise<FileReader | undefined> {
  return file === undefined ? undefined : (await import('./settings.js')).readBackendsFile;
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

const othersMayRead = 0o004;

/** Warns when every user of the machine can read a file that holds a secret. `what`: "the key ring". */
export function listSecretFileWarnings(file: string | undefined, what: string): readonly string[] {
  if (file === undefined || (statSync(file).mode & othersMayRead) === 0) return [];
  return [`every user of this machine can read ${what} ${file}: chmod 600 ${file}`];
}

/** How often the file is looked at. */
const lookMs = 500;
/** The file is read when it has not changed for this long: a program may still be writing it. */
const settledMs = 1000;

/** Calls `onChange` after the file has changed, and no more after `stop`. It also notices a file that was replaced. */
class FileWatch {
  readonly #onChange: () => void;
  readonly #noticed = (): void => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onChange, settledMs).unref();
  };
  #file: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches this file from now on, and no other. */
  follow(file: string | undefined): void {
    if (file === this.#file) return;
    this.stop();
    this.#file = file;
    if (file !== undefined) watchFile(file, { interval: lookMs, persistent: false }, this.#noticed);
  }

  stop(): void {
    if (this.#file !== undefined) unwatchFile(this.#file, this.#noticed);
    this.#file = undefined;
    clearTimeout(this.#timer);
  }
}

/** The result of `ProcessReplacement.done`. */
const replaced = Symbol('replaced');

/** Replaces this process with a new one that has the same sockets. */
class ProcessReplacement {
  /** Resolves when a successor serves. */
  readonly done: Promise<typeof replaced>;
  readonly #proxy: Promise<ReplaceableProxy>;
  readonly #site: ProxySite;
  readonly #signal: AbortSignal;
  #resolveDone = (_replaced: typeof replaced): void => {};
  #isStarting = false;

  constructor(proxy: Promise<ReplaceableProxy>, site: ProxySite, signal: AbortSignal) {
    this.#proxy = proxy;
    this.#site = site;
    this.#signal = signal;
    this.done = new Promise(resolve => (this.#resolveDone = resolve));
  }

  /** Starts a successor. While one is starting, a further call does nothing. */
  start(): void {
    if (this.#isStarting || this.#signal.aborted) return;
    this.#isStarting = true;
    // If the proxy itself cannot start, that is reported elsewhere.
    void this.#proxy.then(
      proxy => this.#replace(proxy),
      () => {},
    );
  }

  async #replace({ beginHandover, cancelHandover, socketOf, onBinding }: ReplaceableProxy): Promise<void> {
    try {
      say('restart: a new process starts');
      const site = this.#site;
      const { pid } = await startSuccessor(
        { beginHandover: () => ({ proxy: beginHandover(), site: site.snapshot }), socketOf, onBinding },
        this.#signal,
      );
      say(`restart: process ${pid} serves; process ${process.pid} finishes what is in flight`);
      this.#resolveDone(replaced);
    } catch (error) {
      this.#isStarting = false;
      cancelHandover();
      if (!this.#signal.aborted) say(`not restarted, process ${process.pid} goes on: ${messageOf(error)}`);
    }
  }
}

function say(line: string): void {
  process.stderr.write(`${errorColours().dim(new Date().toISOString())} ${line}\n`);
}
