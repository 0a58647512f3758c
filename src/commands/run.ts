import type { CommandModule } from 'yargs';
import type { VerdictWord } from '../simulator/checker/verdict/verdict.js';
import { Interrupted } from '../simulator/errors.js';
import { exitCodeOf, exiting } from './lib/exit.js';
import { interruptible } from './lib/interrupt.js';
import { storeOptions } from './lib/store-options.js';
import { type RunArgs, readJobs, runJob } from './run-job.js';

export const run: CommandModule<object, RunArgs> = {
  command: 'run <scenarios..>',
  describe: 'run failover scenarios and judge them',
  builder: yargs =>
    storeOptions(yargs)
      .positional('scenarios', { type: 'string', array: true, demandOption: true, describe: 'scenario files (YAML)' })
      .option('mode', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'only these modes, a,b; default: those of the file',
      })
      .option('seed', { type: 'number', requiresArg: true, describe: 'another seed than that of the file' })
      .option('plan', {
        type: 'string',
        requiresArg: true,
        describe: 'run the plan.json of an earlier run again: its users and its faults, not those of a seed',
      })
      .option('repeat', {
        type: 'number',
        default: 1,
        requiresArg: true,
        describe:
          'how often each mode runs; one failing run fails the mode; says how often each expectation held, with an interval at 95 %',
      })
      .option('against', {
        type: 'string',
        requiresArg: true,
        describe:
          'compare with an earlier --json of the same scenario; exit 1 when an expectation that was met is not met any more',
      })
      .option('out', {
        type: 'string',
        default: 'reports',
        requiresArg: true,
        describe:
          'folder for <scenario>/<time>/: plan.json, history.ndjson, report.html; <scenario>/latest is the newest',
      })
      .option('json', { type: 'string', requiresArg: true, describe: 'write the results as JSON (schema 1)' })
      .option('html', { type: 'string', requiresArg: true, describe: 'write the report as one HTML file' })
      .option('junit', { type: 'string', requiresArg: true, describe: 'write the expectations as JUnit XML, for CI' })
      .option('history', { type: 'string', requiresArg: true, describe: 'write every operation as NDJSON' })
      .epilogue(
        'A mode in which a fault has no target is not run; all of them: exit 2. A run that the machine was too busy for is tried once more.',
      )
      .example('$0 run scenarios/kill-one.yaml', 'every mode of the file')
      .example('$0 run scenarios/*.yaml --mode redis --json "{scenario}.json"', 'one mode of each, results as JSON')
      .example(
        '$0 run scenarios/kill-one.yaml --mode redis --repeat 20',
        'in how many of twenty runs is anything lost?',
      )
      .example('$0 run scenarios/kill-one.yaml --against last.json', 'what became worse since last.json?')
      .example('$0 run scenarios/kill-one.yaml --plan reports/kill-one/latest/plan.json', 'a plan that was kept'),
  handler: exiting(args => interruptible(signal => runAll(args, signal))),
};

async function runAll(args: RunArgs, signal: AbortSignal): Promise<number> {
  const words: VerdictWord[] = [];
  for (const job of await readJobs(args)) {
    words.push(...(await runJob(job, args, signal)));
    if (signal.aborted) throw new Interrupted();
  }
  return exitCodeOf(words);
}
