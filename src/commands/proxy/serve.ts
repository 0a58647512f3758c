import { closeSync, openSync } from 'node:fs';
import type { ProxyOptions, RunningProxy } from '../../proxy/options.js';
import type { Predecessor } from '../../proxy/restart/predecessor.js';
import { notifyServiceManager, readyWords, reloadingWords } from '../../proxy/restart/service-manager.js';
import { readActivation } from '../../proxy/restart/socket-activation.js';
import type { OpenSockets } from '../../proxy/restart/takeover.js';
import { startProxy } from '../../proxy/start-proxy.js';
import { LabError } from '../../simulator/errors.js';
import { UsageError } from '../lib/errors.js';
import { exitCodes } from '../lib/exit.js';
import { balanceAdvice, keyRingAdvice } from './options.js';
import type { ProxySettings } from './settings.js';
import { ProxySite } from './site.js';
import { messageOf, Succession, succeeded } from './succession.js';
import { checkCertificates, devTls, tlsAdvice } from './tls-options.js';

const graceMs = 30_000;

/** How the command line is connected to the process. */
export interface ServeContext {
  readonly signal: AbortSignal;
  /** Reads the settings again. */
  readonly read: () => Promise<ProxySettings>;
  readonly onSignal: (name: 'SIGHUP' | 'SIGUSR2', own: () => void) => void;
  /** The proxy that this process replaces. */
  readonly predecessor: Predecessor | undefined;
}

/** Runs the proxy in this process before the given backends until it is told to stop. SIGHUP: see `hangUp`. */
export async function serve(settings: ProxySettings, context: ServeContext): Promise<number> {
  const { signal, read, onSignal, predecessor } = context;
  const past = await predecessor?.askPast();
  const site = new ProxySite(past?.site);
  const next = async (given: ProxySettings): Promise<ProxyOptions> => {
    const options = given.checked(args => site.options(args, given.hosts));
    const pools = given.hosts.flatMap(({ args }) => [...tlsAdvice(args), ...balanceAdvice(args)]);
    const { args } = given;
    for (const line of [...tlsAdvice(args), ...balanceAdvice(args), ...keyRingAdvice(args), ...pools])
      process.stderr.write(`${line}\n`);
    return checkCertificates({ ...options, ...(await devTls(given.args)) });
  };
  const options = await next(settings);
  const sockets = predecessor ?? activatedSockets();
  const started = startProxy(options, signal, sockets && { past: past?.proxy, sockets });
  onSignal(
    'SIGHUP',
    hangUp(started, async () => next(await read())),
  );
  const succession = new Succession(started, site, signal);
  onSignal('SIGUSR2', () => succession.start());
  const proxy = await started.catch(error => (signal.aborted ? undefined : explainStart(error, options)));
  site.begin();
  if (proxy !== undefined) await tell(...readyWords(process.pid));
  predecessor?.finish();
  const end = proxy && (await Promise.race([aborted(signal), proxy.failed, succession.done]));
  if (end !== succeeded) await tell('STOPPING=1');
  await proxy?.close(graceMs, end === succeeded);
  if (typeof end === 'string') throw new LabError(end);
  return signal.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.ok;
}

function activatedSockets(): OpenSockets | undefined {
  try {
    return readActivation(process.env, process.pid);
  } catch (error) {
    throw new UsageError(`${messageOf(error)}.`);
  }
}

async function tell(...words: readonly string[]): Promise<void> {
  const problem = await notifyServiceManager(...words);
  if (problem !== undefined) process.stderr.write(`${problem}\n`);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}

/**
 * Returns the handler of SIGHUP: it reads the file, the key ring and the certificates again. Signals that arrive during
 * a reload cause one more. A closed terminal sends SIGHUP too: the proxy then stops, because no user could stop it.
 */
function hangUp(started: Promise<RunningProxy>, read: () => Promise<ProxyOptions>): () => void {
  const atTerminal = hasTerminal();
  let waiting = false;
  const readOnce = () => {
    waiting = false;
    return read();
  };
  return () => {
    if (atTerminal && !hasTerminal()) return void process.kill(process.pid, 'SIGTERM');
    if (waiting) return;
    waiting = true;
    void started.then(proxy => reload(proxy, readOnce)).catch(() => {});
  };
}

async function reload(proxy: RunningProxy, read: () => Promise<ProxyOptions>): Promise<void> {
  await tell(...reloadingWords(process.hrtime.bigint()));
  await proxy.reload(read);
  await tell('READY=1');
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/** Throws the system's error again, in a sentence that names the flag. */
function explainStart(error: unknown, { host, port, admin }: ProxyOptions): never {
  if (!(error instanceof Error && 'code' in error)) throw error;
  if ('syscall' in error && error.syscall === 'open') throw new UsageError(error.message);
  const taken = 'port' in error ? error.port : port;
  const [flag, address] = taken === port ? ['--port', host] : ['--admin-port', admin?.host];
  if (error.code === 'EADDRINUSE')
    throw new LabError(`port ${taken} on ${address} is in use; choose another with ${flag}, or 0 for any free one`);
  if (error.code === 'EACCES') throw new LabError(`port ${taken} needs privileges; choose another with ${flag}`);
  if (['ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL'].includes(String(error.code)))
    throw new UsageError(
      `--host "${host}" is no address of this machine; expected one such as 127.0.0.1, 0.0.0.0 or ::1.`,
    );
  throw error;
}
