import type { CommandModule } from 'yargs';
import { joinOutputs, outputsOf, type StepOutputs } from '../report/reporter.js';
import { shippedScenarioNames } from '../shared/package.js';
import type { StoreUrls } from '../shared/stores.js';
import { compareWithEarlier, summarizeMode } from '../simulator/checker/verdict/repeats.js';
import type { JudgedRun } from '../simulator/checker/verdict/verdict.js';
import { explainNoOwnNetwork, isInOwnNetwork, runInOwnNetwork } from '../simulator/cluster/processes/own-network.js';
import { Interrupted } from '../simulator/errors.js';
import { makePlan, type Plan } from '../simulator/plan/plan.js';
import { readReplay } from '../simulator/plan/plan-file.js';
import { readScenario } from '../simulator/scenario/file.js';
import { needsOwnNetwork, type Scenario } from '../simulator/scenario/scenario.js';
import {
  type AskedModes,
  askedModesOf,
  chooseSystem,
  describeNotApplicable,
  describeNothingToRun,
  findScenario,
  type SystemArgs,
  systemOptions,
} from './lib/asked-scenario.js';
import { type EarlierReport, readEarlierReport } from './lib/earlier-report.js';
import { exitCodeOf, runInterruptibly, type TakeOver, toHandler } from './lib/exit.js';
import { parseCount, parseModes, UsageError } from './lib/flags.js';
import {
  checkOutputs,
  nameFile,
  type OutputFiles,
  printRuns,
  tellGitHub,
  writeOutputs,
  writeStepOutputs,
} from './lib/output.js';
import { runIntoFolder } from './lib/run-folder.js';

interface RunArgs extends SystemArgs {
  readonly scenarios: readonly string[];
  readonly mode: readonly string[] | undefined;
  readonly seed: number | undefined;
  readonly plan: string | undefined;
  readonly repeat: number;
  readonly against: string | undefined;
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
        `Shipped scenarios: ${shippedScenarioNames().join(', ')}.\n\nA mode in which a fault has no target is not run; if that is every mode, the exit code is 2. A run is repeated once when the machine was too busy.`,
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

/** One scenario of a command line. Its arguments have been checked before anything runs. */
interface Job {
  readonly scenario: Scenario;
  readonly asked: AskedModes;
  readonly plan: Plan;
  readonly repeat: number;
  readonly storeUrls: StoreUrls;
  readonly earlier: EarlierReport | undefined;
  /** Why the lab cannot have a network of its own, when a job needs one. */
  readonly noNetwork: string | undefined;
}

/** Reads and checks all scenarios. Rejects with `UsageError` or `ScenarioError` when one cannot be run or written. */
async function readJobs(args: RunArgs): Promise<Job[]> {
  const repeat = parseCount('repeat', args.repeat, 1, 1000);
  const seed = args.seed === undefined ? undefined : parseCount('seed', args.seed, 0, Number.MAX_SAFE_INTEGER);
  const modes = args.mode === undefined ? undefined : parseModes(args.mode);
  const replay = args.plan === undefined ? undefined : await readReplay(requireOneScenario(args), args.plan);
  const written =
    replay === undefined
      ? await Promise.all(args.scenarios.map(given => readScenario(findScenario(given))))
      : [replay.scenario];
  const { scenarios, storeUrls } = await chooseSystem(written, args);
  for (const scenario of scenarios) askedModesOf(scenario, modes);
  refuseUnreachable(scenarios);
  const noNetwork = scenarios.some(needsOwnNetwork) ? await explainNoOwnNetwork() : undefined;
  const names = scenarios.map(({ name }) => name);
  refuseDuplicates(names);
  const earlier = await Promise.all(names.map(name => earlierOf(args, name)));
  await checkOutputs(filesOf(args), args.out, names);
  return scenarios.map((scenario, index) => {
    const plan = replay?.plan ?? makePlan(scenario, seed ?? scenario.seed);
    const asked = askedModesOf(scenario, modes, noNetwork);
    return { scenario, asked, plan, repeat, storeUrls, earlier: earlier[index], noNetwork };
  });
}

/** Returns whether the jobs can run only in a network of the lab's own, and this process is not in one. */
function mustEnterOwnNetwork(jobs: readonly Job[]): boolean {
  return !isInOwnNetwork() && jobs.some(({ scenario, asked }) => asked.modes.length > 0 && needsOwnNetwork(scenario));
}

/** Runs one job, prints and writes the results, and returns its part of the outputs. Their verdicts decide the exit code. */
async function runJob(job: Job, args: RunArgs, signal: AbortSignal): Promise<StepOutputs> {
  const { scenario, asked, plan, earlier } = job;
  const { modes, notApplicable } = asked;
  if (modes.length === 0) {
    say(...notApplicable.map(describeNotApplicable), describeNothingToRun(scenario, job.noNetwork));
    return outputsOf([], 'inconclusive');
  }
  const choices = { ...job, modes, notApplicable, out: args.out, signal };
  const { folder, runs, notes, failure } = await runIntoFolder(scenario, plan, choices);
  if (runs.length > 0) {
    printRuns(runs, notes);
    await tellGitHub(runs);
    await writeOutputs(filesOf(args), scenario.name, runs, notes);
    say(`report: ${await folder.writeReport(runs, notes)}`);
  }
  if (failure !== undefined) {
    say(...describeMissing(job, runs));
    throw failure;
  }
  const isWorse = earlier !== undefined && printComparison(earlier, job, runs);
  return isWorse ? outputsOf(runs, 'fail') : outputsOf(runs);
}

/** Names the runs that did not take place. Without this line the incomplete output would look complete. */
export function describeMissing(
  { asked, repeat }: Pick<Job, 'asked' | 'repeat'>,
  runs: readonly Pick<JudgedRun, 'run'>[],
): string[] {
  const missing = asked.modes.flatMap(mode => {
    const done = runs.filter(({ run }) => run.header.mode === mode).length;
    if (done >= repeat) return [];
    return [done === 0 ? mode : `${mode} (${repeat - done} of ${repeat} runs)`];
  });
  return missing.length === 0 ? [] : [`incomplete: these runs did not finish: ${missing.join(', ')}`];
}

/** Prints the comparison. Returns whether an expectation that was met before is not met any more. */
function printComparison(earlier: EarlierReport, { plan }: Job, runs: readonly JudgedRun[]): boolean {
  const modes = [...new Set(runs.map(({ run }) => run.header.mode))];
  const now = modes.map(mode => summarizeMode(runs.filter(({ run }) => run.header.mode === mode)));
  const changes = compareWithEarlier(earlier.modes, now);
  if (earlier.seed !== plan.seed)
    say(`compared with a run of another plan: seed ${earlier.seed ?? 'unknown'} before, ${plan.seed} now`);
  say(...changes.map(({ mode, text }) => `${mode}: ${text}`));
  return changes.some(({ fails }) => fails);
}

async function earlierOf({ against, scenarios }: RunArgs, scenario: string): Promise<EarlierReport | undefined> {
  if (against === undefined) return undefined;
  if (scenarios.length > 1 && !against.includes('{scenario}')) {
    throw new UsageError(
      `--against "${against}": several scenarios need {scenario} in the name, as in --against "{scenario}.json".`,
    );
  }
  return readEarlierReport(nameFile(against, scenario), scenario);
}

function filesOf({ json, html, junit, history }: RunArgs): OutputFiles {
  return { json, html, junit, history };
}

function say(...lines: readonly string[]): void {
  process.stdout.write(lines.map(line => `${line}\n`).join(''));
}

function requireOneScenario({ scenarios, seed }: RunArgs): string {
  const [file, ...others] = scenarios;
  if (file === undefined || others.length > 0) {
    throw new UsageError('--plan holds the plan of one scenario: name only that scenario file.');
  }
  if (seed === undefined) return findScenario(file);
  throw new UsageError('--plan and --seed exclude each other, because a plan has its seed. Leave out one of the two.');
}

/** Throws `UsageError` when one scenario uses a system that runs already, and another needs a network of its own, from
 * which nothing else can be reached. */
function refuseUnreachable(scenarios: readonly Scenario[]): void {
  const packets = scenarios.find(needsOwnNetwork);
  const running = scenarios.find(({ system }) => system.target !== undefined);
  if (packets === undefined || running === undefined) return;
  throw new UsageError(
    `scenario "${packets.name}" strikes packets in a network of its own, which cannot reach the system.target of scenario "${running.name}": run them one after the other.`,
  );
}

/** Throws `UsageError` when two scenarios have the same name: each would overwrite the results of the other. */
function refuseDuplicates(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new UsageError(`two of the files hold a scenario named "${twice}": give it once; --repeat runs it again.`);
}
