import { availableParallelism } from 'node:os';
import type { CommandModule } from 'yargs';
import { type ModeName, modeNames } from '../modes.js';
import { matrixPage } from '../report/html/tables.js';
import {
  addOtherTry,
  type MatrixCell,
  matrixCell,
  matrixJson,
  matrixOf,
  matrixText,
  notApplicable,
  problemsOf,
} from '../report/matrix.js';
import { nameProxy } from '../report/sentence.js';
import { commandLine, shippedScenarioFile, shippedScenarioNames } from '../shared/package.js';
import { writeWhole } from '../shared/result-files.js';
import { unknownName } from '../shared/unknown-name.js';
import type { JudgedRun } from '../simulator/checker/verdict/verdict.js';
import { explainNoOwnNetwork, isInOwnNetwork, runInOwnNetwork } from '../simulator/cluster/processes/own-network.js';
import { readScenario } from '../simulator/scenario/file.js';
import { describeMissingTarget, needsOwnNetwork, type Scenario } from '../simulator/scenario/scenario.js';
import { type OtherProxyArgs, proxyOption, withProxy } from './lib/asked-scenario.js';
import { exitCodeOf, runInterruptibly, type TakeOver, toHandler } from './lib/exit.js';
import { parseCount, parseModes, UsageError } from './lib/flags.js';
import { checkOutputs } from './lib/output.js';
import {
  cellsOf,
  type EmptyCell,
  type MatrixChoices,
  type MatrixProgress,
  type MatrixRuns,
  runMatrix,
  type ScenarioInMode,
} from './lib/run-matrix.js';
import type { TriedRun } from './lib/run-scenario.js';
import { bar, columnsOf, drawLine, isLive, wantsColour } from './lib/streams.js';

const labsMax = 32;

interface MatrixArgs extends OtherProxyArgs {
  readonly modes: readonly string[] | undefined;
  readonly faults: readonly string[] | undefined;
  readonly seed: number | undefined;
  readonly 'at-once': number;
  readonly json: string | undefined;
  readonly html: string | undefined;
}

export const matrix: CommandModule<object, MatrixArgs> = {
  command: 'matrix',
  describe: 'run every fault in every mode, in short form: which mode survives which fault',
  builder: yargs =>
    proxyOption(yargs)
      .option('modes', {
        type: 'string',
        array: true,
        defaultDescription: 'all',
        requiresArg: true,
        describe: 'modes, a,b',
      })
      .option('faults', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe:
          'rows, a,b: shipped scenarios or faults, or all; default: the scenarios with a fault that name every mode',
      })
      .option('seed', { type: 'number', requiresArg: true, describe: 'a seed that replaces those of the scenarios' })
      .option('at-once', {
        type: 'number',
        default: Math.min(labsMax, 2 * availableParallelism()),
        requiresArg: true,
        describe: 'maximum of concurrent labs; begins with half, then adapts to the machine',
      })
      .option('json', { type: 'string', requiresArg: true, describe: 'write the matrix as JSON (schema 1)' })
      .option('html', { type: 'string', requiresArg: true, describe: 'write the matrix as one HTML file' })
      .epilogue(
        'The short form has fewer users and shorter phases, and keeps every expectation of the scenario. A cell runs once more, alone, when it was inconclusive or the machine was too busy. One scenario in full: $0 run <name>',
      )
      .example('$0 matrix', 'every fault in every mode: takes some minutes')
      .example('$0 matrix --faults all', 'every shipped scenario, each in the modes that it names')
      .example(
        '$0 matrix --modes sticky,redis --faults kill --html matrix.html',
        'every scenario that kills something, in two modes',
      ),
  handler: toHandler(args => runInterruptibly((signal, takeOver) => drawMatrix(args, signal, takeOver))),
};

async function drawMatrix(args: MatrixArgs, signal: AbortSignal, takeOver: TakeOver): Promise<number> {
  const modes = parseModes(args.modes ?? modeNames);
  const atOnce = parseCount('at-once', args['at-once'], 1, labsMax);
  const seed = args.seed === undefined ? undefined : parseCount('seed', args.seed, 0, Number.MAX_SAFE_INTEGER);
  const scenarios = await withProxy(rowsOf(await readShippedScenarios(), args.faults), args.proxy);
  const noNetwork = scenarios.some(needsOwnNetwork) ? await explainNoOwnNetwork() : undefined;
  const grid = cellsOf(scenarios, modes, noNetwork);
  if (grid.length === 0) throw new UsageError(`none of these scenarios names the mode ${modes.join(' or ')}.`);
  await checkOutputs({ json: args.json, html: args.html }, undefined, ['matrix']);
  if (!isInOwnNetwork() && grid.some(cell => 'mode' in cell && needsOwnNetwork(cell.scenario)))
    return runInOwnNetwork(takeOver);
  const { runs, failure } = await runCells(grid, { seed, atOnce, signal });
  if (failure === undefined || runs.size > 0) await writeMatrix(grid, modes, runs, args);
  if (noNetwork !== undefined && args.proxy === undefined)
    process.stdout.write(describeNoNetwork(scenarios, noNetwork));
  if (failure !== undefined) throw failure;
  if (runs.size === 0) process.stdout.write('no fault applies in any selected mode, so nothing was run.\n');
  return exitCodeOf([...runs.values()].map(({ judged }) => judged.verdict.word));
}

/** Names the scenarios that strike packets, and says why that is not possible here. */
function describeNoNetwork(scenarios: readonly Scenario[], why: string): string {
  const names = scenarios.filter(needsOwnNetwork).map(({ name }) => name);
  return `${names.join(', ')}: not applicable: ${why}\n`;
}

/** Runs the applicable cells. Starts nothing when there are none. */
function runCells(
  grid: readonly (ScenarioInMode | EmptyCell)[],
  choices: Pick<MatrixChoices, 'seed' | 'atOnce' | 'signal'>,
) {
  const cells = grid.filter(cell => 'mode' in cell);
  if (cells.length === 0) return { runs: new Map<ScenarioInMode, TriedRun>(), failure: undefined };
  const progress = showMatrix();
  return runMatrix(cells, { ...choices, onProgress: progress.show, onSecondTry: progress.sayAgain }).finally(
    progress.end,
  );
}

async function writeMatrix(
  grid: readonly (ScenarioInMode | EmptyCell)[],
  modes: readonly ModeName[],
  runs: MatrixRuns['runs'],
  args: MatrixArgs,
): Promise<void> {
  const survival = matrixOf(
    grid.flatMap(cell => matrixCellOf(cell, runs)),
    modes,
  );
  const judged = [...runs.values()].map(run => run.judged);
  const { stdout } = process;
  const [first] = judged;
  const proxy = first && nameProxy(first.run.header);
  if (proxy !== undefined) stdout.write(`with ${proxy}\n`);
  stdout.write(`${matrixText(survival, { colour: wantsColour(stdout), columns: columnsOf(stdout) })}\n`);
  for (const { scenario, mode, word, reasons } of problemsOf(judged))
    stdout.write(`${scenario}/${mode}: ${word}: ${reasons.join(' ')}\n`);
  for (const line of judged.flatMap(describeNotJudged)) stdout.write(`${line}\n`);
  if (args.proxy !== undefined) for (const line of describeNotApplicable(grid)) stdout.write(`${line}\n`);
  if (args.json !== undefined) await writeWhole(args.json, matrixJson(survival, judged));
  if (args.html !== undefined)
    await writeWhole(args.html, matrixPage(survival, problemsOf(judged), commandOf(args), proxy));
}

/** Returns the cell to draw. Empty for a cell whose run did not end: the matrix shows it as not run. */
function matrixCellOf(cell: ScenarioInMode | EmptyCell, runs: MatrixRuns['runs']): MatrixCell[] {
  if ('notApplicable' in cell) return [notApplicable(cell.scenario.name, cell.notApplicable)];
  const tried = runs.get(cell);
  if (tried === undefined) return [];
  const drawn = matrixCell(tried.judged);
  const { other } = tried;
  return [other === undefined ? drawn : addOtherTry(drawn, { which: other.which, verdict: other.judged.verdict })];
}

/** Lists the expectations that a passed run did not judge because the machine was busy. */
function describeNotJudged({ run: { header }, verdict: { word, expectations } }: JudgedRun): string[] {
  const open = expectations.filter(({ notJudged }) => notJudged !== undefined).map(({ text }) => text);
  if (word !== 'pass' || open.length === 0) return [];
  return [`${header.scenario}/${header.mode}: not judged on a busy machine: ${open.join(', ')}`];
}

/** Says why a scenario does not apply to another proxy, once for all modes with the same reason. */
function describeNotApplicable(grid: readonly (ScenarioInMode | EmptyCell)[]): readonly string[] {
  const lines = grid.flatMap(cell =>
    'mode' in cell ? [] : [`${cell.scenario.name}: not applicable: ${describeMissingTarget(cell.notApplicable)}`],
  );
  return [...new Set(lines)];
}

/** Returns the command line that draws the same matrix. */
function commandOf({ modes, faults, seed, proxy }: MatrixArgs): string {
  const flags = [
    ['modes', modes?.join(',')] as const,
    ['faults', faults?.join(',')] as const,
    ['seed', seed] as const,
    ['proxy', proxy] as const,
  ];
  const given = flags.flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, String(value)]));
  return commandLine('matrix', ...given);
}

function readShippedScenarios(): Promise<Scenario[]> {
  return Promise.all(shippedScenarioNames().map(name => readScenario(shippedScenarioFile(name))));
}

/** Selects scenarios by name, or by fault: then every scenario that uses the fault. */
function rowsOf(scenarios: readonly Scenario[], given: readonly string[] | undefined): Scenario[] {
  if (given === undefined)
    return scenarios.filter(({ modes, faults }) => modes.length === modeNames.length && faults.length > 0);
  const wanted = given.flatMap(text => text.split(',').map(name => name.trim()));
  const namesIn = ({ name, faults }: Scenario): string[] => ['all', name, ...faults.map(fault => fault.do)];
  const known = [...new Set(scenarios.flatMap(namesIn))].sort();
  const strange = wanted.find(name => !known.includes(name));
  if (strange !== undefined) throw new UsageError(`--faults: ${unknownName('scenario or fault', strange, known)}`);
  return scenarios.filter(scenario => namesIn(scenario).some(name => wanted.includes(name)));
}

interface MatrixLine {
  readonly show: (progress: MatrixProgress) => void;
  /** Announces the cells that run once more. */
  readonly sayAgain: (cells: readonly ScenarioInMode[]) => void;
  readonly end: () => void;
}

/** Shows a matrix while it runs, on stderr: one live line on a terminal, a plain line per cell elsewhere. */
function showMatrix(): MatrixLine {
  if (!isLive()) return { show: plainLine, sayAgain, end: () => {} };
  const sayAgainLive: MatrixLine['sayAgain'] = cells => {
    drawLine('');
    sayAgain(cells);
  };
  return { show: liveLine, sayAgain: sayAgainLive, end: () => drawLine('') };
}

function sayAgain(cells: readonly ScenarioInMode[]): void {
  const names = cells.map(({ scenario, mode }) => `${scenario.name}/${mode}`);
  process.stderr.write(
    `\rinconclusive, or the machine was busy; trying once more, one at a time: ${names.join(', ')}\n`,
  );
}

function plainLine({ done, total, leftMs, judged, atOnce }: MatrixProgress): void {
  const what = judged === undefined ? 'begun' : saidOf(judged);
  process.stderr.write(`matrix ${done} of ${total}, ${labs(atOnce)}${leftOf(leftMs)}: ${what}\n`);
}

function liveLine({ done, total, leftMs, judged, atOnce }: MatrixProgress): void {
  const what = judged === undefined ? '' : ` · ${saidOf(judged)}`;
  drawLine(`matrix ${bar(done / Math.max(1, total))} ${done} of ${total}, ${labs(atOnce)}${leftOf(leftMs)}${what}`);
}

function labs(atOnce: number): string {
  return atOnce === 1 ? 'one lab at a time' : `${atOnce} labs side by side`;
}

function saidOf({ run: { header }, findings: { users, writes } }: JudgedRun): string {
  return `${header.scenario} in ${header.mode}: ${users.loggedOut} of ${users.total} logged out, ${writes.lost} of ${writes.acknowledged} writes lost`;
}

function leftOf(leftMs: number | undefined): string {
  if (leftMs === undefined) return '';
  const seconds = Math.round(leftMs / 1000);
  return seconds < 60 ? `, about ${seconds} s left` : `, about ${Math.floor(seconds / 60)} min ${seconds % 60} s left`;
}
