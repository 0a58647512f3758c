/**
 * Profiles a proxy that runs in Node under a load of bench/proxies: self time by area, by file, by function.
 *
 *   node dist/bench/proxies/profile.js --help
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import yargs from 'yargs';
import { chosen, namesOf, withLab } from './lab.js';
import { round, warmUp } from './measure.js';
import type { Peer } from './peer.js';
import { peers } from './peers/registry.js';
import { stop } from './processes.js';
import { type CpuProfile, type Place, placesOf, sumBy } from './self-time.js';
import { stand } from './standing.js';
import { figure, table } from './table.js';
import { type LoadWorkload, workloads } from './workloads.js';

const args = await yargs(process.argv.slice(2))
  .usage('node dist/bench/proxies/profile.js [flags]')
  .option('peer', namesOf('which proxy, one that runs in Node', peers, 'holdfast wire'))
  .option('workload', namesOf('which load', workloads, 'small'))
  .option('seconds', { type: 'number', default: 6, requiresArg: true, describe: 'how long it is watched' })
  .option('functions', { type: 'number', default: 25, requiresArg: true, describe: 'how many of them' })
  .strict()
  .parse();

const warmSeconds = 3;
const sampleMicros = 200;
/** Longer names are cut: a regular expression is named by its source. */
const nameMax = 90;

/** Runs the peer with a profiler, which writes its file at exit. */
function profiled(peer: Peer, folder: string): Peer {
  return {
    ...peer,
    command: async place => {
      const { command, args: rest } = await peer.command(place);
      const flags = ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${sampleMicros}`];
      if (command === process.execPath) return { command, args: [...flags, ...rest] };
      throw new Error(`${command} is not a Node program, so it cannot be profiled`);
    },
  };
}

async function readProfile(folder: string): Promise<CpuProfile> {
  const file = (await readdir(folder)).find(name => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error('the proxy left no profile');
  return JSON.parse(await readFile(path.join(folder, file), 'utf8'));
}

/** Prints shares of samples as times. `all`: the total in µs per request. */
function print(title: string, all: number, sums: readonly (readonly [string, number])[]): void {
  const total = sums.reduce((sum, [, micros]) => sum + micros, 0);
  const rows = sums.slice(0, args.functions).map(([name, micros]) => {
    return [name.slice(0, nameMax), figure((all * micros) / total), `${((100 * micros) / total).toFixed(1)} %`];
  });
  console.log(`\n${table([title, 'µs/request', 'share'], rows)}`);
}

function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

async function watch(peer: Peer, workload: LoadWorkload): Promise<void> {
  await withLab(async ({ folder, backendPorts }) => {
    const one = await stand(args.peer, profiled(peer, folder), { folder, backendPorts, certificate: undefined });
    await warmUp(one, workload, warmSeconds, folder);
    const fromMicros = monotonicMicros();
    const seen = await round(one, workload, args.seconds, folder);
    const toMicros = monotonicMicros();
    await stop(one.child);
    const places = placesOf(await readProfile(folder), fromMicros, toMicros);
    const { cpuMicros, requestsPerSecond } = seen;
    console.log(`${args.peer}, ${args.workload}, with the profiler on: ${figure(cpuMicros)} µs CPU per request,`);
    console.log(`${figure(requestsPerSecond)} requests/s, ${seen.errors} errors`);
    for (const by of ['area', 'file', 'function'] as const satisfies (keyof Place)[])
      print(by, cpuMicros, sumBy(places, by));
  });
}

const [, find] = chosen('peer', args.peer, peers)[0] ?? [];
const [, workload] = chosen('workload', args.workload, workloads)[0] ?? [];
const peer = find?.();
if (peer === undefined || 'leftOut' in peer) throw new Error(`${args.peer}: ${peer?.leftOut}`);
if (workload?.kind !== 'load') throw new Error(`${args.workload}: no load to be profiled under`);
await watch(peer, workload);
