import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { storesOf } from '../../modes.js';
import { generateKeyRing } from '../../shared/key-ring.js';
import type { LabCluster, LabProcess } from '../../simulator/cluster/cluster.js';
import { type ClusterSpec, startCluster } from '../../simulator/cluster/start-cluster.js';
import { exitCodes } from '../lib/exit.js';
import { parseCount, parseMode, parseStoreUrls, UsageError } from '../lib/flags.js';
import { listFlagsForLab, type ProxyArgs } from './flags.js';
import { buildProxyOptions, readKeyRing } from './options.js';
import type { ProxySettings } from './settings.js';
import { speaksTls } from './tls-options.js';

/** How long a killed process stays down: long enough to see the effect in the browser. */
const awayMs = 3_000;

/**
 * Runs the proxy in front of toy backends, each a real process that the user can kill. A process that ended is started
 * again on its port after a while, so that the user sees the failure and the return.
 */
export async function runLab(settings: ProxySettings, signal: AbortSignal): Promise<number> {
  const cluster = await startCluster(
    settings.checked(buildLabSpec),
    signal,
    () => {},
    line => process.stderr.write(`${line}\n`),
  );
  try {
    process.stdout.write(`${describe(cluster, settings.args)}\n`);
    for (const member of cluster.members) void keepRunning(member, signal);
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
  } finally {
    await cluster.stop();
  }
  return signal.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.ok;
}

function buildLabSpec(args: ProxyArgs): ClusterSpec {
  // Every flag is checked here, so that a mistake is reported as one sentence. The process of the proxy gets the flags.
  const options = buildProxyOptions(args, [], readKeyRing(args) ?? generateKeyRing(), () => {});
  const mode = parseMode(args.mode);
  if (args.admin !== undefined || args['admin-token-file'] !== undefined)
    throw new UsageError('--admin: a lab uses the admin API itself, on 127.0.0.1; choose its port with --admin-port.');
  if (args['access-log'] === '-')
    throw new UsageError('--access-log "-": the proxy of a lab has no stdout; name a file.');
  return {
    mode,
    backends: { count: parseCount('backends', args.backends ?? 3, 1, 100), env: {} },
    stores: storesOf(mode),
    storeUrls: parseStoreUrls(args),
    proxy: {
      host: options.host,
      port: options.port,
      adminPort: args['admin-port'] ?? 8081,
      extra: listFlagsForLab(args),
    },
  };
}

async function keepRunning(member: LabProcess, signal: AbortSignal): Promise<void> {
  for (;;) {
    const exit = await member.waitExit(2 ** 31 - 1);
    if (signal.aborted) return;
    if (exit === undefined) continue;
    say(`${member.name} ended (${exit.signal ?? `code ${exit.code}`}); starting it again in ${awayMs / 1000} s`);
    await sleep(awayMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await member.start().then(
      () => say(`${member.name} runs again, process ${member.pid}`),
      (error: Error) => say(error.message),
    );
  }
}

function describe(cluster: LabCluster, args: ProxyArgs): string {
  const { mode } = args;
  const table = new Table({ head: ['process', 'pid', 'address'], style: { head: [], border: [] } });
  for (const { name, pid, port } of cluster.members) table.push([name, pid ?? '', `127.0.0.1:${port}`]);
  return `${table.toString()}
mode ${mode}: open ${urlToOpen(args, cluster.member('proxy').port)} in a browser, log in with any name and the password "secret", fill the cart.
Then kill any of the processes above (kill -9 <pid>) and look at the page. Ctrl-C here stops everything.`;
}

/** Returns the URL to open. A proxy on all interfaces is reached by loopback. */
function urlToOpen(args: ProxyArgs, port: number): string {
  const { host } = args;
  const scheme = speaksTls(args) ? 'https' : 'http';
  if (host === '0.0.0.0' || host === '::') return `${scheme}://127.0.0.1:${port}`;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
