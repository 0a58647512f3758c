import type { CommandModule } from 'yargs';
import { packageFile } from '../package-file.js';
import { Interrupted } from '../simulator/errors.js';
import { readScenario } from '../simulator/scenario/file.js';
import { closing } from './closing.js';
import { exitCodeOf, exiting } from './exit.js';
import { interruptible } from './interrupt.js';
import { checkOutputs, printReport, writeFolder } from './output.js';
import { showProgress } from './progress-line.js';
import { checkTargets, parseStoreUrls, type StoreArgs, storeOptions } from './store-options.js';

const firstScenario = packageFile('scenarios/kill-one.yaml');

interface StartArgs extends StoreArgs {
  readonly out: string;
}

export const start: CommandModule<object, StartArgs> = {
  command: 'start',
  describe: 'a first look: kill one of three backends in every mode, and compare',
  builder: yargs =>
    storeOptions(yargs).option('out', {
      type: 'string',
      default: 'reports',
      requiresArg: true,
      describe: 'folder for plan.json, history.ndjson and report.html',
    }),
  handler: exiting(args => interruptible(signal => firstLook(args, signal))),
};

async function firstLook(args: StartArgs, signal: AbortSignal): Promise<number> {
  const { out: folder } = args;
  const storeUrls = parseStoreUrls(args);
  const scenario = await readScenario(firstScenario);
  checkTargets(scenario, storeUrls);
  await checkOutputs({}, folder, []);
  process.stderr.write('Three backends behind the proxy, shoppers filling carts; then one backend is killed.\n');
  // Not before the command line has proved good: the lab is most of what there is to load.
  const { runScenario } = await import('./run-scenario.js');
  const progress = showProgress(scenario.name);
  const choices = { modes: scenario.modes, seed: scenario.seed, repeat: 1, storeUrls, signal };
  const { plan, runs } = await runScenario(scenario, { ...choices, onProgress: progress.show }).finally(progress.end);
  printReport(runs);
  const report = await writeFolder(folder, plan, runs);
  if (signal.aborted) throw new Interrupted();
  process.stdout.write(closing(runs, report));
  return exitCodeOf(runs.map(({ verdict }) => verdict.word));
}
