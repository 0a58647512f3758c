import type { CommandModule } from 'yargs';
import { joinOutputs, type StepOutputs } from '../report/reporter.js';
import { shippedScenarios } from '../shared/shipped-files.js';
import { runInOwnNetwork } from '../simulator/cluster/processes/own-network.js';
import { Interrupted } from '../simulator/errors.js';
import { exitCodeOf, toHandler } from './lib/exit.js';
import { runInterruptibly, type TakeOver } from './lib/interrupt.js';
import { writeStepOutputs } from './lib/output.js';
import { systemOptions } from './lib/system-options.js';
import { mustEnterOwnNetwork, type RunArgs, readJobs, runJob } from './run-job.js';

export const run: CommandModule<object, RunArgs> = {
  command: 'run <scenarios..>',
  describe: 'run failover scenarios and judge them',
  builder: yargs =>
    systemOptions(yargs)
      .positional('scenarios', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'scenario files (YAML), or names of shipped scenarios',
      })
      .option('mode', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'only these modes, a,b; default: those of the file',
      })
      .option('seed', { type: 'number', requiresArg: true, describe: 'a seed that replaces that of the file' })
      .option('plan', {
        type: 'string',
        requiresArg: true,
        describe: 'repeat the plan.json of an earlier run: the same users and faults',
      })
      .option('repeat', {
        type: 'number',
        default: 1,
        requiresArg: true,
        describe:
          'runs per mode; one failing run fails the mode; reports how often each expectation held, with a 95 % interval',
      })
      .option('against', {
        type: 'string',
        requiresArg: true,
        describe: 'compare with an earlier --json of the same scenario; exit 1 when an expectation is no longer met',
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
        `Shipped scenarios: ${shippedScenarios.join(', ')}.\n\nA mode in which a fault has no target is not run; if that is every mode, the exit code is 2. A run is repeated once when the machine was too busy.`,
      )
      .example('$0 run kill-one', 'a shipped scenario by its name, in every mode of the file')
      .example('$0 run kill-one hang-one --mode redis --json "{scenario}.json"', 'one mode of each, results as JSON')
      .example('$0 run kill-one --mode redis --repeat 20', 'how many of twenty runs lose something?')
      .example('$0 run kill-one --proxy haproxy', 'the same users behind HAProxy')
      .example('$0 run kill-one --against last.json', 'what became worse since last.json?')
      .example('$0 run kill-one --plan reports/kill-one/latest/plan.json', 'the plan of an earlier run'),
  handler: toHandler(args => runInterruptibly((signal, takeOver) => runAll(args, signal, takeOver))),
};

async function runAll(args: RunArgs, signal: AbortSignal, takeOver: TakeOver): Promise<number> {
  const jobs = await readJobs(args);
  if (mustEnterOwnNetwork(jobs)) return runInOwnNetwork(takeOver);
  const ended: StepOutputs[] = [];
  for (const job of jobs) {
    ended.push(await runJob(job, args, signal));
    if (signal.aborted) throw new Interrupted();
  }
  const outputs = joinOutputs(ended);
  await writeStepOutputs(outputs);
  return exitCodeOf(outputs.verdicts);
}
