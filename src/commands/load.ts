import Table from 'cli-table3';
import type { CommandModule } from 'yargs';
import type { LoadResult } from '../load/measure.js';
import { type ModeName, modeNames, storesOf } from '../modes.js';
import { writeWhole } from '../shared/result-files.js';
import type { StoreUrls } from '../shared/stores.js';
import type { Cluster } from '../simulator/cluster/cluster.js';
import { startCluster } from '../simulator/cluster/start-cluster.js';
import { Interrupted, LabError } from '../simulator/errors.js';
import { exitCodes, runInterruptibly, toHandler } from './lib/exit.js';
import { parseCount, parseModes, parseStoreUrls, type StoreArgs, storeOptions } from './lib/flags.js';
import { checkOutputs } from './lib/output.js';

interface LoadArgs extends StoreArgs {
  readonly mode: readonly string[] | undefined;
  readonly connections: number;
  readonly duration: number;
  readonly json: string | undefined;
}

/** The result for one target of one mode. */
interface Row extends LoadResult {
  readonly mode: ModeName;
  /** `proxy`: through the proxy to three backends. `direct`: one backend, no proxy. */
  readonly target: 'proxy' | 'direct';
}

export const load: CommandModule<object, LoadArgs> = {
  command: 'load',
  describe: 'measure peak throughput per mode, compared with one backend without the proxy',
  builder: yargs =>
    storeOptions(yargs)
      .option('mode', {
        type: 'string',
        array: true,
        defaultDescription: 'all',
        requiresArg: true,
        describe: 'modes, a,b',
      })
      .option('connections', {
        type: 'number',
        default: 64,
        requiresArg: true,
        describe: 'keep-alive connections, one user each',
      })
      .option('duration', { type: 'number', default: 10, requiresArg: true, describe: 'seconds for each measurement' })
      .option('json', { type: 'string', requiresArg: true, describe: 'write the figures as JSON' })
      .example('$0 load --mode sticky,redis', 'reads of the cart, in both modes'),
  handler: toHandler(args => runInterruptibly(signal => loadAll(args, signal))),
};

async function loadAll(args: LoadArgs, signal: AbortSignal): Promise<number> {
  const names = parseModes(args.mode ?? modeNames);
  const connections = parseCount('connections', args.connections, 1, 10_000);
  const durationS = parseCount('duration', args.duration, 1, 3600);
  const choices = { connections, durationS, storeUrls: parseStoreUrls(args), signal };
  await checkOutputs({ json: args.json }, undefined, ['load']);
  const rows: Row[] = [];
  for (const mode of names) rows.push(...(await loadMode(mode, choices)));
  process.stdout.write(`${renderTable(rows)}\n`);
  if (args.json !== undefined)
    await writeWhole(args.json, `${JSON.stringify({ schema: 1, connections, durationS, rows }, null, 2)}\n`);
  const broken = rows.some(({ errors, non2xx, requests }) => errors > 0 || non2xx > 0 || requests === 0);
  if (broken) process.stderr.write('Some requests failed: the throughput above is not valid.\n');
  return broken ? exitCodes.failed : exitCodes.ok;
}

interface Choices {
  readonly connections: number;
  readonly durationS: number;
  readonly storeUrls: StoreUrls;
  readonly signal: AbortSignal;
}

async function loadMode(mode: ModeName, choices: Choices): Promise<Row[]> {
  const { connections, durationS, storeUrls, signal } = choices;
  const spec = { mode, backends: { count: 3, env: {} }, stores: storesOf(mode), storeUrls, proxy: {} };
  // Loaded here, after the command line has been checked.
  const { logIn, measure } = await import('../load/measure.js');
  const cluster = await startCluster(spec, signal, () => {});
  try {
    const rows: Row[] = [];
    for (const target of ['direct', 'proxy'] as const) {
      process.stderr.write(`${mode}, ${target}: ${connections} connections for ${durationS} s\n`);
      const origin = originOf(cluster, target);
      const cookies = await logIn(origin, connections).catch(throwNoLogin);
      const figures = await measure({ url: `${origin}/cart`, cookies, connections, durationS }, signal);
      if (signal.aborted) throw new Interrupted();
      rows.push({ mode, target, ...figures });
    }
    return rows;
  } finally {
    await cluster.stop();
  }
}

/** Throws for a failed login. The cause is nearly always the store: the backends have just started successfully. */
function throwNoLogin(error: Error): never {
  throw new LabError(`no user could log in: ${error.message} If the store is one of yours: is it up?`);
}

function originOf(cluster: Cluster, target: Row['target']): string {
  return target === 'proxy' ? cluster.proxyUrl : `http://127.0.0.1:${cluster.member('backend-1').port}`;
}

function renderTable(rows: readonly Row[]): string {
  const head = ['mode', 'target', 'requests/s', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms', 'not 2xx', 'errors'];
  const drawn = new Table({
    head,
    style: { head: [], border: [] },
    colAligns: ['left', 'left', ...head.slice(2).map(() => 'right' as const)],
  });
  for (const { mode, target, requestsPerSecond, latencyMs, non2xx, errors } of rows) {
    const { p50, p90, p99, max } = latencyMs;
    drawn.push([mode, target, Math.round(requestsPerSecond).toLocaleString('en'), p50, p90, p99, max, non2xx, errors]);
  }
  return drawn.toString();
}
