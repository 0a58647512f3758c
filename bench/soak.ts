/**
 * Runs hours of mixed load and faults through a real proxy process. Four backends are killed, hung, drained and
 * reloaded at random times from a seed. Clients of every kind send requests, each with a unique right answer. It prints
 * a row per minute, then what was wrong, and whether memory and file descriptors stayed flat. Exit code 1: something
 * was wrong.
 *
 *   node dist/bench/soak.js --help
 */
import yargs from 'yargs';
import { engines } from '#src/proxy/engines/registry.js';
import { soak } from '#test/proxy/soak/soak.js';
import type { Flatness, SoakRecord } from '#test/proxy/soak/soak-record.js';
import type { Trend } from '#test/proxy/soak/trend.js';

const values = await yargs(process.argv.slice(2))
  .usage('node dist/bench/soak.js [flags]')
  .option('minutes', { type: 'number', default: 60, requiresArg: true, describe: 'how long' })
  .option('engine', { type: 'string', choices: Object.keys(engines), default: 'wire', describe: 'which engine' })
  .option('rate', { type: 'number', default: 150, requiresArg: true, describe: 'requests per second' })
  .option('seed', { type: 'number', default: 1, requiresArg: true, describe: 'seed of the faults' })
  .option('json', { type: 'boolean', default: false, describe: 'prints the results as JSON' })
  .example('$0 --minutes 1', 'a quick test')
  .strict()
  .parse();
const durationMs = values.minutes * 60_000;
/** Five minutes of an hour; a twelfth of any other time. */
const flatness: Flatness = { warmUpMs: durationMs / 12, growthMbMax: 16, growthDescriptorsMax: 50 };

say('minute  requests  failed  POSTs done  kill/hang/drain/reload  MB  descriptors  GET p50  p99 ms  wrong');
const record = await soak({
  engine: values.engine,
  seed: values.seed,
  durationMs,
  ratePerS: values.rate,
  meanGapMs: 8_000,
  flags: [],
  onProgress: { everyMs: 60_000, tell: so => say(row(so)) },
});
const wrong = record.verdict(flatness);
if (values.json) console.log(JSON.stringify(summary(record), undefined, 2));
else print(record);
process.exitCode = wrong.length > 0 ? 1 : 0;

function row(so: SoakRecord): string {
  const { kill = 0, hang = 0, drain = 0, reload = 0 } = so.troubleCounts();
  return [
    String(Math.round((performance.now() - so.startedMs) / 60_000)).padStart(6),
    so.requests.toLocaleString('en').padStart(8),
    String(so.failed).padStart(6),
    so.posts.toLocaleString('en').padStart(10),
    `${kill}/${hang}/${drain}/${reload}`.padStart(22),
    (so.footprint.residentMb.at(-1)?.value ?? 0).toFixed(0).padStart(4),
    String(so.footprint.descriptors.at(-1)?.value ?? 0).padStart(9),
    percentile(so.getMs, 0.5).toFixed(1).padStart(9),
    percentile(so.getMs, 0.99).toFixed(1).padStart(6),
    String(so.offenceCount).padStart(6),
  ].join('  ');
}

/** Sorts a copy; returns 0 for no values. */
function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}

function print(so: SoakRecord): void {
  console.log('\nrequests by kind and end (own: an answer of the proxy itself)');
  for (const [kind, ends] of so.ends) {
    const counts = Object.entries(ends).map(([end, count]) => `${count.toLocaleString('en')} ${end}`);
    console.log(`  ${kind.padEnd(15)} ${counts.join(', ')}`);
  }
  console.log(`\nrequests skipped because 2,000 were in flight: ${so.leftOut}`);
  console.log(`CPU of the proxy: ${(so.cpuMs / 1_000).toFixed(1)} s`);
  console.log(`resident MB: ${line(so.memory(flatness.warmUpMs))}`);
  console.log(`descriptors: ${line(so.descriptors(flatness.warmUpMs))}`);
  for (const what of wrong) console.log(`WRONG: ${what}`);
  if (so.offenceCount > so.offences.length) console.log(`WRONG: ... ${so.offenceCount} in all`);
  console.log(wrong.length === 0 ? 'verdict: passed' : 'verdict: FAILED');
}

function line(of: Trend | undefined): string {
  if (of === undefined) return 'too few samples';
  const [growth, perHour] = [of.growth, of.perHour].map(value => `${value >= 0 ? '+' : ''}${value.toFixed(1)}`);
  const ends = `${of.first.toFixed(0)} after the warm-up, ${of.last.toFixed(0)} at the end, at most ${of.max.toFixed(0)}`;
  return `${ends}; the line through all samples: ${growth} (${perHour} per hour), noise ${of.noise.toFixed(1)}`;
}

function summary(so: SoakRecord) {
  return {
    engine: values.engine,
    seed: values.seed,
    minutes: values.minutes,
    ratePerS: values.rate,
    requests: so.requests,
    failed: so.failed,
    leftOut: so.leftOut,
    posts: so.posts,
    ends: Object.fromEntries(so.ends),
    troubles: so.troubleCounts(),
    getMs: { p50: percentile(so.getMs, 0.5), p99: percentile(so.getMs, 0.99) },
    cpuMs: so.cpuMs,
    residentMb: so.memory(flatness.warmUpMs),
    descriptors: so.descriptors(flatness.warmUpMs),
    wrong,
  };
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
