/**
 * Compares reverse proxies in one run: the same three backends, the same load, one core each, in turns. Each uses an
 * affinity cookie if it can. The ratios are what counts. A peer that is not on PATH is skipped with a message.
 *
 *   node dist/bench/proxies.js --help
 */
import { writeFile } from 'node:fs/promises';
import yargs from 'yargs';
import { chosen, machine, namesOf, say, withLab } from './proxies/lab.js';
import { marksOf } from './proxies/marks.js';
import type { Peer } from './proxies/peer.js';
import { peers } from './proxies/peers/registry.js';
import { type Results, reportOf } from './proxies/report.js';
import { run } from './proxies/run.js';
import { workloads } from './proxies/workloads.js';

const args = await yargs(process.argv.slice(2))
  .usage('node dist/bench/proxies.js [flags]')
  .option('peers', namesOf('which proxies', peers))
  .option('workloads', namesOf('which loads', workloads))
  .option('rounds', { type: 'number', default: 5, requiresArg: true, describe: 'turns of each; the median counts' })
  .option('seconds', { type: 'number', default: 3, requiresArg: true, describe: 'how long a turn lasts' })
  .option('json', { type: 'string', requiresArg: true, describe: 'writes every turn to this file' })
  .example('$0 --peers "haproxy,holdfast wire" --workloads small', 'one comparison, in a minute')
  .epilogue(summaries().join('\n'))
  .strict()
  .parse();

function summaries(): string[] {
  return Object.entries(workloads).map(([name, { summary }]) => `${name}: ${summary}`);
}

function present(): Map<string, Peer> {
  const found = new Map<string, Peer>();
  for (const [name, find] of chosen('peer', args.peers, peers)) {
    const peer = find();
    if ('leftOut' in peer) say(`${name}: skipped, ${peer.leftOut}`);
    else found.set(name, peer);
  }
  return found;
}

const asked = chosen('workload', args.workloads, workloads);
const standing = { peers: present(), rounds: args.rounds, seconds: args.seconds, say };
await withLab(async lab => {
  const all: Record<string, Results> = {};
  for (const [name, workload] of asked) {
    const results = await run(name, workload, { ...standing, ...lab });
    all[name] = results;
    const turns = workload.kind === 'load' ? `; median of ${args.rounds} turns of ${args.seconds} s` : '';
    console.log(`\n${name}: ${workload.summary}${turns}\n${reportOf(results)}`);
    for (const line of marksOf(name, results)) console.log(line);
  }
  const text = `${JSON.stringify({ machine, workloads: all }, undefined, 2)}\n`;
  if (args.json !== undefined) await writeFile(args.json, text);
});
