import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { engines } from '#src/proxy/engines/registry.js';
import { type Direction, fuzz } from '#test/proxy/fuzz/fuzz.js';
import { allowancesOf } from '#test/proxy/shortfalls.js';

/**
 * Sends mutated messages through an engine and compares each result with that of Node's own parser.
 *
 *   node dist/bench/fuzz.js --count 1000000 [--seed 1] [--engine wire] [--direction requests|answers] [--from N]
 *     [--lanes 8]
 *
 * Seed, direction and number identify a case: `--from N --count 1` runs it alone.
 */

const args = await yargs(hideBin(process.argv))
  .option('count', { type: 'number', default: 100_000 })
  .option('seed', { type: 'number', default: 1 })
  .option('from', { type: 'number', default: 0 })
  .option('lanes', { type: 'number', default: 8 })
  .option('most', { type: 'number', default: 10, describe: 'stop after this many discrepancies' })
  .option('engine', { choices: Object.keys(engines), default: 'wire' })
  .option('direction', { choices: ['requests', 'answers'] as const, default: 'requests' as Direction })
  .strict()
  .parseAsync();
const entry = engines[args.engine];
if (entry === undefined) throw new Error(`no engine ${args.engine}`);

const startMs = performance.now();
const rate = (done: number) => Math.round((done / (performance.now() - startMs)) * 1000).toLocaleString('en');
const everyCases = 50_000;
const { found, handlings, passedOn } = await fuzz({
  ...args,
  make: entry.make,
  allowances: allowancesOf(args.engine),
  discrepanciesMax: args.most,
  onProgress: done => {
    if (done % everyCases === 0) console.log(`${done.toLocaleString('en')} cases, ${rate(done)}/s`);
  },
});
for (const { nth, pieces, wrong, shortest } of found) {
  console.log(`\n#${nth} ${wrong}\n  pieces   ${JSON.stringify(pieces).slice(0, 2000)}`);
  if (shortest !== undefined) console.log(`  shortest ${JSON.stringify(shortest)}`);
}
console.log(
  `\n${args.engine}, ${args.direction}, seed ${args.seed}: ${args.count.toLocaleString('en')} cases, ${rate(args.count)}/s, ${found.length} discrepancies`,
);
for (const [handling, count] of Object.entries(handlings))
  console.log(`${count.toLocaleString('en').padStart(10)} ${handling}`);
console.log(`${passedOn.toLocaleString('en').padStart(10)} messages arrived whole`);
const seconds = Math.round((performance.now() - startMs) / 1000).toLocaleString('en');
console.log(`${seconds} s, at most ${Math.round(process.resourceUsage().maxRSS / 1024)} MB resident`);
process.exitCode = found.length === 0 ? 0 : 1;
