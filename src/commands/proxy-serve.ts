import { generateKeyRing } from '../key-ring.js';
import type { ProxyEvent, ProxyOptions } from '../proxy/options.js';
import { startProxy } from '../proxy/start-proxy.js';
import { LabError } from '../simulator/errors.js';
import { exitCodes, UsageError } from './exit.js';
import { givenKeyRing, type ProxyArgs, proxyOptions } from './proxy-options.js';
import { errorColours } from './streams.js';

const graceMs = 30_000;

const ownRing =
  'no key ring given (--secrets-file or HOLDFAST_SECRETS): made one for this process only; ' +
  'after a restart, and at another proxy, every browser is bound anew\n';

/** The proxy alone, in this process, before the given backends, until it is told to stop. */
export async function serve(args: ProxyArgs, backends: readonly string[], signal: AbortSignal): Promise<number> {
  const given = givenKeyRing(args);
  const ready = new Set<string>();
  const options = proxyOptions(args, backends, given ?? generateKeyRing(), event => {
    if (event.kind === 'backend' && event.to === 'ready') ready.add(event.backend);
    logEvent(event);
  });
  if (options.affinity !== undefined && given === undefined) process.stderr.write(ownRing);
  const proxy = await startProxy(options).catch(error => explainListen(error, options));
  for (const line of sleepers(options, ready)) process.stderr.write(`${line}\n`);
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
  await proxy.close(graceMs);
  return signal.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.ok;
}

/** A backend that never was up makes no edge: without a word, a wrong address looks like a proxy that works. */
function sleepers({ backends, health }: ProxyOptions, ready: ReadonlySet<string>): string[] {
  return backends
    .filter(({ name }) => !ready.has(name))
    .map(
      ({ name, url }) =>
        `${name}: down from the start; GET ${new URL(health.path, url)} was not answered 2xx ` +
        '(is it running? --health-path names another path); it is asked again and again',
    );
}

/** The system's error, in words that name the flag. */
function explainListen(error: unknown, { host, port, admin }: ProxyOptions): never {
  if (!(error instanceof Error && 'code' in error)) throw error;
  const taken = 'port' in error ? error.port : port;
  const [flag, address] = taken === port ? ['--port', host] : ['--admin-port', admin?.host];
  if (error.code === 'EADDRINUSE')
    throw new LabError(`port ${taken} on ${address} is in use; choose another with ${flag}, or 0 for any free one`);
  if (error.code === 'EACCES') throw new LabError(`port ${taken} needs privileges; choose another with ${flag}`);
  if (['ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL'].includes(String(error.code)))
    throw new UsageError(`--host "${host}" is no address of this machine; expected one such as 127.0.0.1 or 0.0.0.0.`);
  throw error;
}

/** One line per edge, on stderr. */
function logEvent(event: ProxyEvent): void {
  process.stderr.write(`${errorColours().dim(new Date().toISOString())} ${sentenceOf(event)}\n`);
}

function sentenceOf(event: ProxyEvent): string {
  switch (event.kind) {
    case 'listening':
      return `listening on ${event.url}${event.adminUrl === undefined ? '' : `, admin API on ${event.adminUrl}`}`;
    case 'backend':
      return `${event.backend}: ${event.from} -> ${event.to} (${event.reason})`;
    case 'incarnation':
      return `${event.backend}: new incarnation ${event.incarnation}; sessions in its memory are gone`;
    case 'drained':
      return `${event.backend}: drained (${event.reason === 'empty' ? 'nobody left' : 'the window is over'})`;
    case 'closing':
      return `closing; ${event.inFlight} in flight`;
    case 'reloaded':
      return reloadedSentence(event);
    case 'reload-refused':
      return `not reloaded, nothing has changed: ${event.reason}`;
  }
}

function reloadedSentence({ changes, needsRestart }: Extract<ProxyEvent, { kind: 'reloaded' }>): string {
  const restart = needsRestart.length === 0 ? '' : `; only a restart would change ${needsRestart.join(', ')}`;
  return `reloaded: ${changes.length === 0 ? 'nothing new' : changes.join(', ')}${restart}`;
}
