import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { CommandModule } from 'yargs';
import { PlanDrawer } from '../hunt/draw-plan.js';
import {
  describeFind,
  describeNothing,
  describeSize,
  type HuntSetup,
  tidyPlan,
  writeFind,
} from '../hunt/found-scenario.js';
import { type HuntedFault, listSought, listStrikeable, negateExpectation } from '../hunt/goal.js';
import { type HuntProgress, type HuntResult, hunt as huntPlan } from '../hunt/hunt.js';
import { makeRunScenario, readRun, type TryPlan } from '../hunt/hunted-plan.js';
import type { ModeName } from '../modes.js';
import { commandLine } from '../shared/package.js';
import { makeTimedFolder, pointLatest, writeWhole } from '../shared/result-files.js';
import { explainNoOwnNetwork, isInOwnNetwork, runInOwnNetwork } from '../simulator/cluster/processes/own-network.js';
import { makePlan } from '../simulator/plan/plan.js';
import { readScenario } from '../simulator/scenario/file.js';
import {
  explainMissingTarget,
  type FaultSpec,
  needsOwnNetwork,
  type Scenario,
} from '../simulator/scenario/scenario.js';
import { type ChosenSystem, chooseSystem, findScenario, type SystemArgs, systemOptions } from './lib/asked-scenario.js';
import { exitCodes, runInterruptibly, type TakeOver, toHandler } from './lib/exit.js';
import { parseCount, parseMode, UsageError, writeStoreFlags } from './lib/flags.js';
import { checkOutputs } from './lib/output.js';
import { drawLine, isLive } from './lib/streams.js';

const minutesMax = 24 * 60;

interface HuntArgs extends SystemArgs {
  readonly scenario: string;
  readonly minutes: number;
  readonly mode: string | undefined;
  readonly seed: number | undefined;
  readonly faults: readonly string[] | undefined;
  readonly until: string | undefined;
  readonly out: string | undefined;
}

export const hunt: CommandModule<object, HuntArgs> = {
  command: 'hunt <scenario>',
  describe: 'look for faults and moments that break a scenario, and shrink what was found',
  builder: yargs =>
    systemOptions(yargs)
      .positional('scenario', {
        type: 'string',
        demandOption: true,
        describe: 'a scenario file (YAML), or the name of a shipped scenario',
      })
      .option('minutes', {
        type: 'number',
        default: 5,
        requiresArg: true,
        describe: 'how long to search; shrinking a find takes at most the same time again',
      })
      .option('mode', { type: 'string', requiresArg: true, describe: 'the mode; default: the first one of the file' })
      .option('seed', { type: 'number', requiresArg: true, describe: 'repeats the choices of an earlier hunt' })
      .option('faults', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'faults to add to those of the file, a,b; kill@redis: on this target only',
      })
      .option('until', {
        type: 'string',
        requiresArg: true,
        describe: 'what to look for, as in "writes.lost > 0"; default: a violation of a line "... == 0" of the file',
      })
      .option('out', {
        type: 'string',
        requiresArg: true,
        describe: 'file for the scenario that was found; default: in reports/hunt/<scenario>/<time>/',
      })
      .epilogue(
        `Exit codes: ${exitCodes.ok} nothing found · ${exitCodes.failed} found · ${exitCodes.inconclusive} every try was inconclusive.`,
      )
      .example('$0 hunt kill-one --mode redis', 'other moments and targets for its fault')
      .example('$0 hunt app.yaml --faults kill,cut-link --minutes 10', 'more faults, for longer')
      .example('$0 hunt kill-one --proxy haproxy', 'the same hunt behind HAProxy')
      .example('$0 hunt app.yaml --until "users.loggedOut > 0"', 'what logs a user out?'),
  handler: toHandler(args => runInterruptibly((signal, takeOver) => runHunt(args, signal, takeOver))),
};

async function runHunt(args: HuntArgs, signal: AbortSignal, takeOver: TakeOver): Promise<number> {
  const minutes = parseMinutes(args.minutes);
  const seed = args.seed === undefined ? randomInt(2 ** 31) : parseCount('seed', args.seed, 0, Number.MAX_SAFE_INTEGER);
  const written = await readScenario(findScenario(args.scenario));
  const mode = chooseMode(written, args.mode);
  const strike = (scenario: Scenario) => listStrikeable(scenario, mode, splitNames(args.faults));
  const { scenarios, storeUrls } = await chooseSystem([written], args, scenario => ({
    modes: [mode],
    faults: strike(scenario).map(toFault),
  }));
  const [base = written] = scenarios;
  const sought = listExpectations(base, mode, args.until);
  const strikeable = strike(base);
  if (await mustEnterNetwork(strikeable)) return runInOwnNetwork(takeOver);
  const setup = { base, mode, sought, storeUrls };
  await checkOut(args.out, base.name);
  say(`hunting in ${base.name}, mode ${mode}, seed ${seed}: ${sought.join(', ')}`);
  const drawer = new PlanDrawer(base, strikeable, seed);
  const progress = showHunt();
  const result = await huntPlan({
    draw: (number, seen) => drawer.draw(number, seen),
    tryPlan: await makeTry(setup, signal),
    tidy: plan => tidyPlan(base, plan),
    now: () => performance.now(),
    searchMs: minutes * 60_000,
    shrinkMs: minutes * 60_000,
    onProgress: progress.show,
  });
  progress.end();
  return tellResult(result, setup, seed, args.out);
}

/** The servers of the user's own. */
type HuntedStores = Pick<ChosenSystem, 'storeUrls'>;

/** Makes a fault of a scenario, for checks that need one. */
function toFault(fault: HuntedFault): FaultSpec {
  return { ...fault, id: fault.do, trigger: { atMs: 0 } };
}

/** Refuses a file that cannot be written or exists already: a find must not be lost, and overwrites nothing. */
async function checkOut(out: string | undefined, name: string): Promise<void> {
  const isThere = out !== undefined && existsSync(out);
  await checkOutputs({ out }, undefined, [name]);
  if (isThere) throw new UsageError(`--out: "${out}" exists already and is not overwritten. Choose another name.`);
}

/** Prints the result and writes the find. Returns the exit code; throws what ended the hunt early. */
async function tellResult(
  result: HuntResult,
  setup: HuntSetup & HuntedStores,
  seed: number,
  out: string | undefined,
): Promise<number> {
  const { find, failure } = result;
  if (find === undefined) say(...describeNothing(result));
  else {
    const text = writeFind(find, setup, seed);
    const folder = out ?? (await makeTimedFolder(path.join('reports', 'hunt', setup.base.name), new Date()));
    const file = out ?? path.join(folder, 'scenario.yaml');
    await writeWhole(file, text);
    if (out === undefined) await pointLatest(folder);
    say(...describeFind(find), '', text, describeRepeatedRun(file, setup));
  }
  if (failure !== undefined) throw failure;
  if (find !== undefined) return exitCodes.failed;
  return result.tries - result.labFailures === result.inconclusive ? exitCodes.inconclusive : exitCodes.ok;
}

/** Returns the line with the command that repeats a find. It names the user's own servers, without their passwords. */
export function describeRepeatedRun(file: string, { storeUrls }: HuntedStores): string {
  return `again: ${commandLine('run', file, ...writeStoreFlags(storeUrls))}`;
}

function parseMinutes(given: number): number {
  if (given > 0 && given <= minutesMax) return given;
  throw new UsageError(`--minutes: expected a number above 0, at most ${minutesMax}, not "${given}".`);
}

function splitNames(given: readonly string[] | undefined): string[] {
  return given?.flatMap(text => text.split(',').map(name => name.trim())) ?? [];
}

/** Returns the mode to hunt in. Without `--mode` it is the first one in which a fault of the file has a target. */
function chooseMode(scenario: Scenario, asked: string | undefined): ModeName {
  const mode = asked === undefined ? undefined : parseMode(asked);
  if (mode !== undefined && !scenario.modes.includes(mode)) {
    throw new UsageError(
      `scenario "${scenario.name}" does not name mode "${mode}"; its modes are ${scenario.modes.join(', ')}.`,
    );
  }
  const fitting = scenario.modes.find(each =>
    scenario.faults.some(({ target }) => explainMissingTarget(each, target) === undefined),
  );
  const [first = 'sticky'] = scenario.modes;
  return mode ?? fitting ?? first;
}

function listExpectations(scenario: Scenario, mode: ModeName, until: string | undefined): readonly string[] {
  const sought = until === undefined ? listSought(scenario, mode) : [negateExpectation(until)];
  if (sought.length > 0) return sought;
  throw new UsageError(
    `scenario "${scenario.name}" expects no loss or defect to be 0 in mode ${mode}, so there is nothing to look for. Say what: --until "users.loggedOut > 0".`,
  );
}

/** Returns whether the hunt strikes packets and this process has no network of its own. Throws when it cannot have one. */
async function mustEnterNetwork(strikeable: readonly HuntedFault[]): Promise<boolean> {
  if (!needsOwnNetwork({ faults: strikeable.map(toFault) }) || isInOwnNetwork()) return false;
  const why = await explainNoOwnNetwork();
  if (why === undefined) return true;
  throw new UsageError(`a fault of this hunt strikes packets, which is not possible here: ${why}`);
}

/** Loads the lab, which is the largest part of the code, and returns the function that makes one run. */
async function makeTry(
  { base, mode, sought, storeUrls }: HuntSetup & HuntedStores,
  signal: AbortSignal,
): Promise<TryPlan> {
  const [{ simulate }, { judgeRun }] = await Promise.all([
    import('../simulator/simulate.js'),
    import('../simulator/checker/judge-run.js'),
  ]);
  return async plan => {
    const scenario = makeRunScenario(base, mode, sought, plan);
    const options = { storeUrls, signal, onProgress: () => undefined };
    const run = await simulate(scenario, mode, makePlan(scenario, plan.seed), options);
    return readRun(judgeRun(run));
  };
}

/** Shows one live line on a terminal, and a line for each run elsewhere. */
function showHunt(): { readonly show: (progress: HuntProgress) => void; readonly end: () => void } {
  const show = (progress: HuntProgress) => {
    const text = describeProgress(progress);
    if (isLive()) drawLine(text);
    else process.stderr.write(`${text}\n`);
  };
  return { show, end: () => isLive() && drawLine('') };
}

function describeProgress({ stage, runs, elapsedMs, limitMs, last, smallest }: HuntProgress): string {
  const time = `${clock(elapsedMs)} of ${clock(limitMs)}`;
  if (stage === 'search') return `try ${runs}, ${time}: ${last}`;
  return `shrinking, run ${runs}, ${time}: ${last}${smallest === undefined ? '' : `; smallest: ${describeSize(smallest)}`}`;
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function say(...lines: readonly string[]): void {
  process.stdout.write(lines.map(line => `${line}\n`).join(''));
}
