import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { CommandModule } from 'yargs';
import { renderProxyPage } from '../conformance/pages.js';
import { tableReporters } from '../conformance/reporters.js';
import { rows } from '../conformance/rows/registry.js';
import { runConformance } from '../conformance/run-conformance.js';
import {
  type FailureRow,
  type FailureTable,
  isEstablished,
  type RowFinding,
  type TablePlace,
  type TableProxy,
  tableOf,
} from '../conformance/table.js';
import { commandLine, packageFile, presetNames } from '../shared/package.js';
import { writeWhole } from '../shared/result-files.js';
import { assertInstalled, isInstalled } from '../simulator/cluster/external/external-proxy.js';
import { type Preset, readPreset } from '../simulator/scenario/own-system.js';
import { exitCodes, runInterruptibly, toHandler } from './lib/exit.js';
import { parseCount, parseKey, UsageError } from './lib/flags.js';
import { checkOutputs } from './lib/output.js';
import { bar, columnsOf, drawLine, isLive, wantsColour } from './lib/streams.js';

interface ConformanceArgs {
  readonly proxy: readonly string[] | undefined;
  readonly row: readonly string[] | undefined;
  readonly 'at-once': number;
  readonly json: string | undefined;
  readonly html: string | undefined;
  readonly markdown: string | undefined;
}

const atOnceMax = 8;

export const conformance: CommandModule<object, ConformanceArgs> = {
  command: 'conformance',
  describe: 'the failure table of session persistence: what a proxy does with its users when something fails',
  builder: yargs =>
    yargs
      .option('proxy', {
        type: 'string',
        array: true,
        defaultDescription: 'all that are installed',
        requiresArg: true,
        describe: 'presets, a,b, or files like examples/proxies/haproxy/preset.yaml',
      })
      .option('row', { type: 'string', array: true, requiresArg: true, describe: 'only these rows, a,b' })
      .option('at-once', {
        type: 'number',
        default: Math.min(atOnceMax, availableParallelism()),
        requiresArg: true,
        describe: 'number of experiments at the same time',
      })
      .option('json', {
        type: 'string',
        requiresArg: true,
        describe: 'write all cells and exchanges as JSON (schema 1)',
      })
      .option('html', { type: 'string', requiresArg: true, describe: 'write the table as one HTML file' })
      .option('markdown', {
        type: 'string',
        requiresArg: true,
        describe: 'write the table as Markdown, and a page for each proxy into the folder of the same name',
      })
      .epilogue(`Proxies: ${presetNames().join(', ')}`)
      .epilogue(`Rows: ${Object.keys(rows).join(', ')}`)
      .epilogue('Exit codes: 0 every cell is known, 2 a cell is unknown, 3 bad input, 4 a proxy did not start')
      .example('$0 conformance', 'every row with every proxy that is installed: takes some minutes')
      .example('$0 conformance --proxy haproxy,nginx --row killed,refused', 'two rows with two proxies')
      .example('$0 conformance --proxy my-proxy.yaml --html table.html', 'your own proxy'),
  handler: toHandler(args => runInterruptibly(signal => makeTable(args, signal))),
};

async function makeTable(args: ConformanceArgs, signal: AbortSignal): Promise<number> {
  const chosen = parseRows(args.row);
  const atOnce = parseCount('at-once', args['at-once'], 1, atOnceMax);
  const { json, html, markdown } = args;
  checkMarkdown(markdown);
  await checkOutputs({ json, html, markdown }, undefined, ['conformance']);
  const presets = await choosePresets(args.proxy);
  const progress = isLive() ? liveLine : plainLine;
  const run = runConformance({ rows: chosen, proxies: presets, atOnce, signal, onFinding: progress });
  const findings = await run.finally(() => isLive() && drawLine(''));
  const table = tableOf(chosen, presets.map(describePreset), findings);
  await writeTable(table, args);
  return isEstablished(table) ? exitCodes.ok : exitCodes.inconclusive;
}

function parseRows(given: readonly string[] | undefined): Readonly<Record<string, FailureRow>> {
  const known = new Set(splitNames(given ?? Object.keys(rows)).map(name => parseKey('row', name, rows)));
  return Object.fromEntries(Object.entries(rows).filter(([name]) => known.has(name)));
}

function splitNames(given: readonly string[]): string[] {
  return given.flatMap(text => text.split(',').map(name => name.trim()));
}

/** Reads the selected proxies. By default it leaves out those that are not installed, and says so. */
async function choosePresets(given: readonly string[] | undefined): Promise<Preset[]> {
  const presets = await Promise.all([...new Set(splitNames(given ?? presetNames()))].map(name => readPreset(name)));
  const twice = presets.find(({ name }, index) => presets.findIndex(other => other.name === name) !== index);
  if (twice !== undefined)
    throw new UsageError(`--proxy: two proxies have the name "${twice.name}": give one of them another name.`);
  if (given !== undefined) {
    for (const preset of presets) assertInstalled(preset);
    return presets;
  }
  const missing = presets.filter(preset => !isInstalled(preset)).map(({ name }) => name);
  if (missing.length > 0) process.stderr.write(`not installed, so left out: ${missing.join(', ')}\n`);
  return presets.filter(preset => isInstalled(preset));
}

/** Names the configuration by its path in the package, or as the user would type it. */
function describePreset(preset: Preset): TableProxy {
  const file = preset.config?.file;
  const inPackage = file === undefined ? '' : path.relative(packageFile('.'), file);
  const shown = inPackage.startsWith('..') ? file : inPackage;
  return {
    name: preset.name,
    for: preset.for,
    configuration: shown === '' ? undefined : shown,
    documentation: preset.documentation,
  };
}

async function writeTable(table: FailureTable, args: ConformanceArgs): Promise<void> {
  const { stdout } = process;
  const { json, html, markdown } = args;
  const pages = path.basename(markdown ?? '', '.md');
  const place = placeOf(markdown ?? '');
  const options = { colour: wantsColour(stdout), columns: columnsOf(stdout), again: commandOf(args), pages, place };
  stdout.write(tableReporters.terminal(table, options));
  if (json !== undefined) await writeWhole(json, tableReporters.json(table, options));
  if (html !== undefined) await writeWhole(html, tableReporters.html(table, options));
  if (markdown === undefined) return;
  await writeWhole(markdown, tableReporters.markdown(table, options));
  await writePages(table, markdown);
}

/** Writes the page of each proxy into the folder beside the table: `conformance.md`, `conformance/nginx.md`. */
async function writePages(table: FailureTable, file: string): Promise<void> {
  const folder = file.replace(/\.md$/, '');
  await mkdir(folder, { recursive: true });
  for (const proxy of table.proxies) {
    const text = renderProxyPage(table, proxy, path.basename(file), placeOf(file));
    await writeWhole(path.join(folder, `${proxy.name}.md`), text);
  }
}

function placeOf(file: string): TablePlace {
  return { folder: path.dirname(path.resolve(file)), packageFolder: path.resolve(packageFile('.')) };
}

/** The pages have a folder named after the table, so the table must be `NAME.md`. */
function checkMarkdown(file: string | undefined): void {
  if (file !== undefined && !/[^/]\.md$/.test(file))
    throw new UsageError(`--markdown "${file}": expected a name that ends with .md, such as table.md.`);
}

function commandOf({ proxy, row, markdown }: ConformanceArgs): string {
  const flags = [
    ['proxy', proxy?.join(',')] as const,
    ['row', row?.join(',')] as const,
    ['markdown', markdown] as const,
  ];
  const given = flags.flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, value]));
  return commandLine('conformance', ...given);
}

function plainLine(finding: RowFinding, done: number, total: number): void {
  process.stderr.write(`conformance ${done} of ${total}: ${saidOf(finding)}\n`);
}

function liveLine(finding: RowFinding, done: number, total: number): void {
  drawLine(`conformance ${bar(done / Math.max(1, total))} ${done} of ${total} · ${saidOf(finding)}`);
}

function saidOf({ proxy, row, method, cells }: RowFinding): string {
  const said = Object.values(cells).map(({ says }) => says);
  return `${proxy}, ${row}, ${method}: ${said.join('; ')}`;
}
