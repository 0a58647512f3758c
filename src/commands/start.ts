import type { CommandModule } from 'yargs';
import { packageFile } from '../package-file.js';
import { Interrupted } from '../simulator/errors.js';
import { makePlan } from '../simulator/plan.js';
import { readScenario } from '../simulator/scenario/file.js';
import { askedModesOf } from './asked-modes.js';
import { closing } from './closing.js';
import { exitCodeOf, exiting } from './exit.js';
import { interruptible } from './interrupt.js';
import { checkOutputs, printReport, printRuns } from './output.js';
import { runIntoFolder } from './run-into-folder.js';
import { checkTargets, parseStoreUrls, type StoreArgs, storeOptions } from './store-options.js';

const firstScenario = packageFile('scenarios/kill-one.yaml');
/** Sticky and redis come first and differ most: they are compared as soon as both are over. */
const comparedFirst = 2;

interface StartArgs extends StoreArgs {
  readonly out: string;
}

export const start: CommandModule<object, StartArgs> = {
  command: 'start',
  describe: 'a first look: kill one of three backends in every mode, and compare',
  builder: yargs =>
    storeOptions(yargs)
      .option('out', {
        type: 'string',
        default: 'reports',
        requiresArg: true,
        describe: 'folder for kill-one/<time>/: plan.json, history.ndjson, report.html; kill-one/latest is the newest',
      })
      .epilogue(
        'Sticky and redis are compared first, after some 15 s. A run that the machine was too busy for is tried once more.',
      ),
  handler: exiting(args => interruptible(signal => firstLook(args, signal))),
};

async function firstLook(args: StartArgs, signal: AbortSignal): Promise<number> {
  const { out } = args;
  const storeUrls = parseStoreUrls(args);
  const scenario = await readScenario(firstScenario);
  checkTargets(scenario, storeUrls);
  const { modes, notApplicable } = askedModesOf(scenario, undefined);
  await checkOutputs({}, out, []);
  process.stderr.write('Three backends behind the proxy, shoppers filling carts; then one backend is killed.\n');
  const { folder, runs, notes, failure } = await runIntoFolder(scenario, makePlan(scenario, scenario.seed), {
    modes,
    notApplicable,
    repeat: 1,
    storeUrls,
    signal,
    out,
    onRun: over => {
      if (over.length === comparedFirst) printReport(over);
    },
  });
  if (runs.length > 0) printRuns(runs, notes);
  const report = runs.length > 0 ? await folder.writeReport(runs, notes) : undefined;
  if (failure !== undefined) {
    if (report !== undefined) process.stdout.write(`report: ${report}\n`);
    throw failure;
  }
  if (signal.aborted) throw new Interrupted();
  process.stdout.write(closing(runs, report ?? folder.path));
  return exitCodeOf(runs.map(({ verdict }) => verdict.word));
}
