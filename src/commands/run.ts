import type { CommandModule } from 'yargs';
import { judgeRepeats } from '../simulator/checker/repeats.js';
import type { JudgedRun } from '../simulator/checker/verdict.js';
import { Interrupted } from '../simulator/errors.js';
import { readScenario } from '../simulator/scenario/file.js';
import { readReplay } from '../simulator/scenario/plan-file.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { exitCodeOf, exiting, UsageError } from './exit.js';
import { tellGitHub } from './github.js';
import { interruptible } from './interrupt.js';
import { parseModes } from './mode-option.js';
import { checkOutputs, printReport, writeFolder, writeOutputs } from './output.js';
import { showProgress } from './progress-line.js';
import { parseCount } from './registry-option.js';
import { checkTargets, parseStoreUrls, type StoreArgs, storeOptions } from './store-options.js';

interface RunArgs extends StoreArgs {
  readonly scenarios: readonly string[];
  readonly mode: readonly string[] | undefined;
  readonly seed: number | undefined;
  readonly plan: string | undefined;
  readonly repeat: number;
  readonly out: string;
  readonly json: string | undefined;
  readonly html: string | undefined;
  readonly junit: string | undefined;
  readonly history: string | undefined;
}

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
        describe: 'how often; repeats that disagree are inconclusive',
      })
      .option('out', {
        type: 'string',
        default: 'reports',
        requiresArg: true,
        describe: 'folder for plan.json, history.ndjson and report.html',
      })
      .option('json', { type: 'string', requiresArg: true, describe: 'write the results as JSON (schema 1)' })
      .option('html', { type: 'string', requiresArg: true, describe: 'write the report as one HTML file' })
      .option('junit', { type: 'string', requiresArg: true, describe: 'write the expectations as JUnit XML, for CI' })
      .option('history', { type: 'string', requiresArg: true, describe: 'write every operation as NDJSON' })
      .example('$0 run scenarios/kill-one.yaml', 'every mode of the file')
      .example('$0 run scenarios/*.yaml --mode redis --json "{scenario}.json"', 'one mode of each, results as JSON')
      .example('$0 run scenarios/kill-one.yaml --seed 7 --repeat 10', 'ten times the same plan')
      .example('$0 run scenarios/kill-one.yaml --plan plan.json', 'a plan that was kept'),
  handler: exiting(args => interruptible(signal => runAll(args, signal))),
};

async function runAll(args: RunArgs, signal: AbortSignal): Promise<number> {
  const repeat = parseCount('repeat', args.repeat, 1, 1000);
  const seed = args.seed === undefined ? undefined : parseCount('seed', args.seed, 0, Number.MAX_SAFE_INTEGER);
  const modes = args.mode === undefined ? undefined : parseModes(args.mode);
  const replay = args.plan === undefined ? undefined : await readReplay(onlyScenario(args), args.plan);
  const scenarios = replay === undefined ? await Promise.all(args.scenarios.map(readScenario)) : [replay.scenario];
  const storeUrls = parseStoreUrls(args);
  for (const scenario of scenarios) {
    modesOf(scenario, modes);
    checkTargets(scenario, storeUrls);
  }
  const files = { json: args.json, html: args.html, junit: args.junit, history: args.history };
  const names = scenarios.map(({ name }) => name);
  checkDistinct(names);
  await checkOutputs(files, args.out, names);
  // Not before the command line has proved good: the lab is most of what there is to load.
  const { runScenario } = await import('./run-scenario.js');
  const judged: JudgedRun[][] = [];
  for (const scenario of scenarios) {
    const planned = { seed: seed ?? scenario.seed, ...(replay && { plan: replay.plan }) };
    const choices = { modes: modesOf(scenario, modes), ...planned, repeat, storeUrls, signal };
    const progress = showProgress(scenario.name);
    const { plan, runs } = await runScenario(scenario, { ...choices, onProgress: progress.show }).finally(progress.end);
    printReport(runs);
    await tellGitHub(runs);
    await writeOutputs(files, scenario.name, runs);
    process.stdout.write(`report: ${await writeFolder(args.out, plan, runs)}\n`);
    if (signal.aborted) throw new Interrupted();
    judged.push(runs);
  }
  return exitCodeOf(judged.flatMap(wordsOf));
}

function onlyScenario({ scenarios, seed }: RunArgs): string {
  const [file, ...others] = scenarios;
  if (file === undefined || others.length > 0) {
    throw new UsageError('--plan is the plan of one scenario: name that file alone.');
  }
  if (seed === undefined) return file;
  throw new UsageError('--plan and --seed: a plan holds what its seed gave. Take one of the two out.');
}

/** Two of one name would write over each other's results. */
function checkDistinct(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new UsageError(`two of the files hold a scenario named "${twice}": give it once; --repeat runs it again.`);
}

function modesOf(scenario: Scenario, asked: Scenario['modes'] | undefined): Scenario['modes'] {
  const strange = asked?.find(mode => !scenario.modes.includes(mode));
  if (strange !== undefined) {
    throw new UsageError(
      `scenario "${scenario.name}" says nothing of mode "${strange}"; it is written for ${scenario.modes.join(', ')}.`,
    );
  }
  return asked ?? scenario.modes;
}

/** One word per mode; repeats that disagree make theirs inconclusive. */
function wordsOf(runs: readonly JudgedRun[]) {
  const modes = [...new Set(runs.map(({ run: { header } }) => header.mode))];
  return modes.map(mode => {
    const { word, reasons } = judgeRepeats(
      runs.filter(({ run: { header } }) => header.mode === mode).map(({ verdict }) => verdict),
    );
    if (runs.length > modes.length) for (const reason of reasons) process.stdout.write(`${mode}: ${reason}\n`);
    return word;
  });
}
