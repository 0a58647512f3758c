import type { CommandModule } from 'yargs';
import { commandLine, shippedScenarioFile } from '../shared/package.js';
import { worstOf } from '../shared/worst-verdict.js';
import type { JudgedRun, VerdictWord } from '../simulator/checker/verdict/verdict.js';
import { Interrupted } from '../simulator/errors.js';
import { makePlan } from '../simulator/plan/plan.js';
import { readScenario } from '../simulator/scenario/file.js';
import { askedModesOf, checkPrograms, checkTargets } from './lib/asked-scenario.js';
import { exitCodeOf, runInterruptibly, toHandler } from './lib/exit.js';
import { parseStoreUrls, type StoreArgs, storeOptions } from './lib/flags.js';
import { checkOutputs, printReport, printRuns } from './lib/output.js';
import { runIntoFolder } from './lib/run-folder.js';

const firstScenario = shippedScenarioFile('kill-one');
/** The first two modes, sticky and redis, differ most. They are compared as soon as both have run. */
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
        'Sticky and redis are compared first, after some 15 s. A run is repeated once when the machine was too busy.',
      ),
  handler: toHandler(args => runInterruptibly(signal => firstLook(args, signal))),
};

async function firstLook(args: StartArgs, signal: AbortSignal): Promise<number> {
  const { out } = args;
  const storeUrls = parseStoreUrls(args);
  const scenario = await readScenario(firstScenario);
  checkTargets(scenario, storeUrls);
  const { modes, notApplicable } = askedModesOf(scenario, undefined);
  checkPrograms(modes, storeUrls);
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
  process.stdout.write(renderClosing(runs, report ?? folder.path));
  return exitCodeOf(runs.map(({ verdict }) => verdict.word));
}

const summaries: Record<VerdictWord, (modes: string) => string> = {
  pass: () => 'pass: every mode did what the scenario expects. The scenario also expects the losses of sticky.',
  fail: modes =>
    `fail: ${modes} did not do what the scenario expects. The lines above say what was expected and measured.`,
  inconclusive: modes => `inconclusive: ${modes} showed too little for a verdict. The lines above say why.`,
};

const nextSteps = [
  commandLine('run', 'rolling-restart'),
  `${commandLine('proxy', '--mode', 'sticky')}     (use the shop in a browser, and kill a backend yourself)`,
];
const liveStep = `${commandLine('live')}                    (break two systems side by side in a browser, and watch each user)`;

/** Returns the last lines of the first look: the verdict in one sentence, the path of the report, what to type next. */
export function renderClosing(runs: readonly JudgedRun[], report: string): string {
  const word = worstOf(runs.map(({ verdict }) => verdict.word));
  const modes = runs.filter(({ verdict }) => verdict.word === word).map(({ run }) => run.header.mode);
  const isEvery = modes.length === runs.length;
  const only = isEvery ? [] : ['--mode', modes.join(',')];
  const again = `${commandLine('run', 'kill-one', ...only)}     (while the machine does nothing else)`;
  const [next = '', ...more] = word === 'pass' ? nextSteps : [again];
  const lines = [summaries[word](isEvery ? 'every mode' : modes.join(', ')), `report: ${report}`, `next: ${next}`];
  return [...lines, ...[...more, liveStep].map(step => `      ${step}`)].map(line => `${line}\n`).join('');
}
