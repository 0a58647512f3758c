import pc from 'picocolors';
import { generateKeyRing } from '../proxy/key-ring.js';
import type { ProxyEvent } from '../proxy/options.js';
import { startProxy } from '../proxy/start-proxy.js';
import { exitCodes } from './exit.js';
import { givenKeyRing, type ProxyArgs, proxyOptions } from './proxy-options.js';

const graceMs = 30_000;

const ownRing =
  'no key ring given (--secrets-file or HOLDFAST_SECRETS): made one for this process only; ' +
  'after a restart, and at another proxy, every browser is bound anew\n';

/** The proxy alone, in this process, before the given backends, until it is told to stop. */
export async function serve(args: ProxyArgs, backends: readonly string[], signal: AbortSignal): Promise<number> {
  const given = givenKeyRing(args);
  const options = proxyOptions(args, backends, given ?? generateKeyRing(), logEvent);
  if (options.affinity !== undefined && given === undefined) process.stderr.write(ownRing);
  const proxy = await startProxy(options);
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
  await proxy.close(graceMs);
  return signal.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.ok;
}

/** One line per edge, on stderr. */
function logEvent(event: ProxyEvent): void {
  process.stderr.write(`${pc.dim(new Date().toISOString())} ${sentenceOf(event)}\n`);
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
  }
}
