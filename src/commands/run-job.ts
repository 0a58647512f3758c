import { outputsOf, type StepOutputs } from '../report/reporter.js';
import type { StoreUrls } from '../shared/stores.js';
import { compareWithEarlier, summarizeMode } from '../simulator/checker/verdict/repeats.js';
import type { JudgedRun } from '../simulator/checker/verdict/verdict.js';
import { explainNoOwnNetwork, isInOwnNetwork } from '../simulator/cluster/processes/own-network.js';
import { makePlan, type Plan } from '../simulator/plan/plan.js';
import { readReplay } from '../simulator/plan/plan-file.js';
import { readScenario } from '../simulator/scenario/file.js';
import { needsOwnNetwork, type Scenario } from '../simulator/scenario/scenario.js';
import { type AskedModes, askedModesOf, describeNotApplicable, describeNothingToRun } from './lib/asked-modes.js';
import { type EarlierReport, readEarlierReport } from './lib/earlier-report.js';
import { UsageError } from './lib/errors.js';
import { parseCount, parseModes } from './lib/mode-option.js';
import { checkOutputs, nameFile, type OutputFiles, printRuns, tellGitHub, writeOutputs } from './lib/output.js';
import { runIntoFolder } from './lib/run-into-folder.js';
import { findScenario } from './lib/scenario-names.js';
import { chooseSystem, type SystemArgs } from './lib/system-options.js';

export interface RunArgs extends SystemArgs {
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

/** One scenario of a command line. Its arguments have been checked before anything runs. */
export interface Job {
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
export async function readJobs(args: RunArgs): Promise<Job[]> {
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
export function mustEnterOwnNetwork(jobs: readonly Job[]): boolean {
  return !isInOwnNetwork() && jobs.some(({ scenario, asked }) => asked.modes.length > 0 && needsOwnNetwork(scenario));
}

/** Runs one job, prints and writes the results, and returns its part of the outputs. Their verdicts decide the exit code. */
export async function runJob(job: Job, args: RunArgs, signal: AbortSignal): Promise<StepOutputs> {
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
