import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { CommandModule } from 'yargs';
import { modeNames } from '../modes.js';
import { packageFile } from '../package-file.js';
import { matrixPage } from '../report/html/matrix-page.js';
import { matrixCell, matrixOf } from '../report/matrix.js';
import { matrixJson, problemsOf } from '../report/matrix-json.js';
import { matrixText } from '../report/matrix-text.js';
import { readScenario } from '../simulator/scenario/file.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { unknownName } from '../unknown-name.js';
import { exitCodeOf, exiting, UsageError } from './exit.js';
import { interruptible } from './interrupt.js';
import { showMatrix } from './matrix-progress.js';
import { parseModes } from './mode-option.js';
import { checkOutputs, writeWhole } from './output.js';
import { parseCount } from './registry-option.js';
import { cellsOf, runMatrix } from './run-matrix.js';
import { columnsOf, wantsColour } from './streams.js';

const folder = packageFile('scenarios');
const labsMax = 32;

interface MatrixArgs {
  readonly modes: readonly string[] | undefined;
  readonly faults: readonly string[] | undefined;
  readonly seed: number | undefined;
  readonly 'at-once': number;
  readonly json: string | undefined;
  readonly html: string | undefined;
}

export const matrix: CommandModule<object, MatrixArgs> = {
  command: 'matrix',
  describe: 'every fault against every mode, in short form: who survives what',
  builder: yargs =>
    yargs
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
          'rows, a,b: names of shipped scenarios, or of faults that they use; default: what breaks something in every mode; all',
      })
      .option('seed', { type: 'number', requiresArg: true, describe: 'another seed than those of the scenarios' })
      .option('at-once', {
        type: 'number',
        default: Math.min(labsMax, 2 * availableParallelism()),
        requiresArg: true,
        describe: 'labs side by side, at most: begins with half, and goes on with as many as the machine has room for',
      })
      .option('json', { type: 'string', requiresArg: true, describe: 'write the matrix as JSON (schema 1)' })
      .option('html', { type: 'string', requiresArg: true, describe: 'write the matrix as one HTML file' })
      .epilogue('A scenario whole, with all that it expects: holdfast run scenarios/<name>.yaml')
      .example('$0 matrix', 'all that breaks something in every mode: some minutes')
      .example('$0 matrix --faults all', 'every shipped scenario, each in the modes that it is written for')
      .example(
        '$0 matrix --modes sticky,redis --faults kill --html matrix.html',
        'all that kills something, two modes',
      ),
  handler: exiting(args => interruptible(signal => drawMatrix(args, signal))),
};

async function drawMatrix(args: MatrixArgs, signal: AbortSignal): Promise<number> {
  const modes = parseModes(args.modes ?? modeNames);
  const atOnce = parseCount('at-once', args['at-once'], 1, labsMax);
  const seed = args.seed === undefined ? undefined : parseCount('seed', args.seed, 0, Number.MAX_SAFE_INTEGER);
  const scenarios = rowsOf(await shippedScenarios(), args.faults);
  const cells = cellsOf(scenarios, modes);
  if (cells.length === 0) throw new UsageError(`no such scenario is written for ${modes.join(', ')}.`);
  await checkOutputs({ json: args.json, html: args.html }, undefined, ['matrix']);
  const progress = showMatrix();
  const choices = { seed, atOnce, signal, onProgress: progress.show };
  const judged = await runMatrix(cells, choices).finally(progress.end);
  const survival = matrixOf(judged.map(matrixCell), modes);
  const { stdout } = process;
  stdout.write(`${matrixText(survival, { colour: wantsColour(stdout), columns: columnsOf(stdout) })}\n`);
  for (const { scenario, mode, word, reasons } of problemsOf(judged))
    stdout.write(`${scenario}/${mode}: ${word}: ${reasons.join(' ')}\n`);
  if (args.json !== undefined) await writeWhole(args.json, matrixJson(survival, judged));
  if (args.html !== undefined) await writeWhole(args.html, matrixPage(survival, problemsOf(judged), commandOf(args)));
  return exitCodeOf(judged.map(({ verdict }) => verdict.word));
}

/** How to draw the same again. */
function commandOf({ modes, faults, seed }: MatrixArgs): string {
  const flags = [['modes', modes?.join(',')] as const, ['faults', faults?.join(',')] as const, ['seed', seed] as const];
  const given = flags.flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag} ${value}`]));
  return ['node dist/cli.js matrix', ...given].join(' ');
}

async function shippedScenarios(): Promise<Scenario[]> {
  const files = (await readdir(folder)).filter(file => file.endsWith('.yaml')).sort();
  return Promise.all(files.map(file => readScenario(path.join(folder, file))));
}

/** By the name of a scenario, or by a fault: then every scenario that uses it. */
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
