/**
 * Reverse proxies side by side in one run: the same three backends, the same load, a core for each, in turns, with an
 * affinity cookie where the proxy knows one. What counts are the ratios. A peer that is not on PATH is left out and said
 * so.
 *
 *   node dist/bench/proxies.js --help
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir } from 'node:os';
import path from 'node:path';
import yargs from 'yargs';
import { unknownName } from '#src/unknown-name.js';
import { backendKind, startBackends } from './proxies/backends.js';
import { loadKind } from './proxies/measure.js';
import type { Peer } from './proxies/peer.js';
import { peers } from './proxies/peers/registry.js';
import { canPin, freePorts, stopAll, tellAllToStop } from './proxies/processes.js';
import { type Results, reportOf } from './proxies/report.js';
import { run } from './proxies/run.js';
import { workloads } from './proxies/workloads.js';

const backendCount = 3;

const args = await yargs(process.argv.slice(2))
  .usage('$0 [--peers a,b] [--workloads a,b] [--rounds N] [--seconds N] [--json FILE]')
  .option('peers', names('which proxies', peers))
  .option('workloads', names('which loads', workloads))
  .option('rounds', { type: 'number', default: 5, requiresArg: true, describe: 'turns of each; the median counts' })
  .option('seconds', { type: 'number', default: 3, requiresArg: true, describe: 'how long a turn lasts' })
  .option('json', { type: 'string', requiresArg: true, describe: 'writes every round to this file' })
  .example('$0 --peers "haproxy,holdfast wire" --workloads small', 'one comparison, in a minute')
  .epilogue(
    Object.entries(workloads)
      .map(([name, { summary }]) => `${name}: ${summary}`)
      .join('\n'),
  )
  .strict()
  .parse();

function names(describe: string, registry: Readonly<Record<string, unknown>>) {
  const known = Object.keys(registry).join(',');
  return { type: 'string', default: known, requiresArg: true, describe: `${describe}, by comma` } as const;
}

function chosen<T>(kind: string, text: string, registry: Readonly<Record<string, T>>): [string, T][] {
  return text.split(',').map(each => {
    const entry = registry[each.trim()];
    if (entry !== undefined) return [each.trim(), entry];
    process.stderr.write(`${unknownName(kind, each.trim(), Object.keys(registry))}\n`);
    return process.exit(3);
  });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function present(): Map<string, Peer> {
  const found = new Map<string, Peer>();
  for (const [name, find] of chosen('peer', args.peers, peers)) {
    const peer = find();
    if ('leftOut' in peer) say(`${name}: left out, ${peer.leftOut}`);
    else found.set(name, peer);
  }
  return found;
}

if (!existsSync('/proc/self/stat')) {
  say('What a proxy uses is read from /proc: this bench needs Linux.');
  process.exit(4);
}
const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  kernel: release(),
  node: process.version,
  load: loadKind,
  backends: backendKind,
  pinned: canPin && cpus().length > 1,
};
say(
  `load: ${loadKind}; backends: ${backendKind}; ${canPin ? 'one core for the proxy, one for the rest' : 'taskset is not there: not pinned'}`,
);
const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-'));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.once('exit', tellAllToStop);
const all: Record<string, Results> = {};
try {
  const backendPorts = await freePorts(backendCount);
  await startBackends(backendPorts, folder);
  const plan = { peers: present(), rounds: args.rounds, seconds: args.seconds, folder, backendPorts, say };
  for (const [name, workload] of chosen('workload', args.workloads, workloads)) {
    const results = await run(name, workload, plan);
    all[name] = results;
    const turns = workload.kind === 'load' ? `; median of ${args.rounds} turns of ${args.seconds} s` : '';
    console.log(`\n${name}: ${workload.summary}${turns}\n${reportOf(results)}`);
  }
  if (args.json !== undefined)
    await writeFile(args.json, `${JSON.stringify({ machine, workloads: all }, undefined, 2)}\n`);
} finally {
  await stopAll();
  await rm(folder, { recursive: true, force: true });
}
