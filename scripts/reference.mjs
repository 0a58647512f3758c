/**
 * Writes the reference tables of the pages under docs/ and the manual page from the registries and the help texts, so
 * that no page promises what the program does not have.
 *
 *   npm run reference                     builds, then writes docs/*.md and man/holdfast.1 again
 *   node scripts/reference.mjs --check    writes nothing; exit code 1 when a page is out of date
 *
 * A generated part stands between `<!-- reference: NAME -->` and `<!-- end -->`. A column with a function is generated.
 * A column without one is written by hand: its cells are kept, and a new row gets empty ones.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { defects } from '#backends/defects.js';
import { attacks } from '#src/attacks/attacks/registry.js';
import { appAttacks } from '#src/attacks/own-app/attacks/registry.js';
import { weakVariants } from '#src/attacks/weak-variants.js';
import { runCommandLine } from '#src/command-line.js';
import { modeNames, modes } from '#src/modes.js';
import { engines } from '#src/proxy/engines/registry.js';
import { routingPolicies } from '#src/proxy/routing-policies.js';
import { reporters } from '#src/report/reporters/registry.js';
import { stores, strategies } from '#src/sessions/registry.js';
import { ownVersion } from '#src/shared/package.js';
import { drivers } from '#src/simulator/cluster/external/drivers.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { plantedDefects } from '#test/simulator/planted-defects.js';
import { writeManual } from './manual.mjs';

const root = path.resolve(import.meta.dirname, '..');
const docs = path.join(root, 'docs');
const part = /(<!-- reference: ([a-z-]+) -->\n)([\s\S]*?)(<!-- end -->)/g;

const pageColumns = 100;
/** Wide enough that no line is broken: the manual breaks lines by itself. */
const manualColumns = 600;

const { commands } = await readCommands(pageColumns);
const scenarios = await readScenarios();
const storeEntries = await loadAll(stores);

/** Each makes the text of one part from the text that stands there now. */
const parts = {
  commands: table('command', commands, {
    'what it does': ({ describe }) => describe,
    more: undefined,
  }),
  help: () => Object.entries(commands).map(helpSection).join('\n\n'),
  modes: table('mode', modes, {
    routing: ({ affinity }) => (affinity ? 'a cookie binds the browser to one backend' : 'any backend'),
    strategy: ({ strategy }) => `\`${strategy}\``,
    store: ({ store }) => `\`${store}\``,
    'in short': ({ summary }) => summary,
  }),
  promises: async () => fenced(await atFixedTime(() => outputOf(['modes']))),
  strategies: table('strategy', strategies, {
    'used by': (_entry, name) => codes(modeNames.filter(mode => modes[mode].strategy === name)),
    'the cookie carries': undefined,
  }),
  stores: table('store', storeEntries, {
    'used by': (_entry, name) => codes(modeNames.filter(mode => modes[mode].store === name)),
    'keeps records in': undefined,
    'a record survives the end of': ({ capabilities }) => survivors[capabilities.durability],
  }),
  policies: table('policy', routingPolicies, { 'what it chooses': ({ summary }) => summary, more: undefined }),
  engines: table('engine', engines, { 'in short': ({ summary }) => summary, 'choose it': undefined }),
  reporters: table('reporter', reporters, {
    'what it writes': ({ summary }) => summary,
    'how to get it': undefined,
  }),
  drivers: table('driver', drivers, {
    'what it strikes': ({ summary }) => summary,
    selector: ({ selects }) => selects,
  }),
  faults: table('fault', faults, {
    'what happens': undefined,
    'confirmed by': undefined,
    'effect that users must notice': ({ effectInWords }) => effectInWords,
  }),
  scenarios: table('scenario', scenarios, {
    modes: scenario => modesInWords(scenario.modes),
    'what breaks': undefined,
    'who loses what': undefined,
  }),
  defects: table('defect', plantedDefects, {
    'what it does': (_planted, name) => defects[name].summary,
    mode: undefined,
    needs: undefined,
    finding: undefined,
  }),
  attacks: table('attack', attacks, {
    'what it does': ({ title }) => title,
    'evidence for': ({ asvs }) => asvs.join(', ') || '–',
  }),
  'app-attacks': table('attack', appAttacks, {
    'what it sends': ({ title }) => title,
    'evidence for': ({ asvs }) => asvs.join(', '),
  }),
  'weak-variants': table('weak variant', weakVariants, {
    mode: ({ mode }) => `\`${mode}\``,
    'what is wrong with it': ({ summary }) => summary,
  }),
};

const survivors = {
  process: 'nothing: it ends with the backend process',
  'store-process': 'the backends',
  disk: 'the backends and the store process',
};

const stale = [];
/** Rows of tables with a cell that is written by hand and is still empty. */
const unfilled = [];
for (const file of readdirSync(docs).filter(name => name.endsWith('.md')))
  await update(`docs/${file}`, page => writeParts(page));
await update('man/holdfast.1', async () => {
  const { overview, commands } = await readCommands(manualColumns);
  return writeManual(ownVersion, overview, commands);
});
process.exitCode = 0;
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`out of date: ${stale.join(', ')}. Write them again: npm run reference`);
  process.exitCode = 1;
} else if (stale.length > 0) console.log(`written: ${stale.join(', ')}`);
if (unfilled.length > 0) console.log(`empty cells to fill: ${unfilled.join(', ')}`);

async function update(file, write) {
  const place = path.join(root, file);
  const text = existsSync(place) ? readFileSync(place, 'utf8') : '';
  const written = await write(text);
  if (written === text) return;
  stale.push(file);
  if (!process.argv.includes('--check')) writeFileSync(place, written);
}

async function writeParts(page) {
  let written = page;
  for (const [whole, head, name, text, end] of page.matchAll(part)) {
    const write = parts[name];
    if (write === undefined) throw new Error(`unknown part "${name}". Known: ${Object.keys(parts).join(', ')}`);
    const generated = await write(text);
    written = written.replace(whole, () => `${head}${generated}\n${end}`);
  }
  return written;
}

/** Makes a table with a row for each entry of a registry. Rows keep their places, and new ones come last. */
function table(title, entries, columns) {
  return old => {
    const kept = readCells(old);
    const names = Object.keys(entries);
    const placeOf = name => (kept.has(name) ? [...kept.keys()].indexOf(name) : kept.size + names.indexOf(name));
    const rows = names
      .toSorted((a, b) => placeOf(a) - placeOf(b))
      .map(name => {
        const entry = entries[name];
        const cells = Object.entries(columns).map(([column, cell]) =>
          cell === undefined ? (kept.get(name)?.[column] ?? '') : escapeCell(cell(entry, name)),
        );
        if (cells.includes('')) unfilled.push(`${title} ${name}`);
        return [`\`${name}\``, ...cells];
      });
    const head = [title, ...Object.keys(columns)];
    return [head, head.map(() => '---'), ...rows].map(formatRow).join('\n');
  };
}

function formatRow(cells) {
  const isRule = cells.every(cell => cell === '---');
  return isRule ? `|${cells.join('|')}|` : `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |');
}

/** Returns the cells of a table as it stands on the page: by the name of the row, then by the title of the column. */
function readCells(text) {
  const [titles = [], , ...rows] = text
    .split('\n')
    .filter(line => line.startsWith('|'))
    .map(line =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map(cell => cell.trim()),
    );
  return new Map(
    rows.map(cells => [
      cells[0].replaceAll('`', ''),
      Object.fromEntries(titles.map((title, at) => [title, cells[at]])),
    ]),
  );
}

function escapeCell(text) {
  return text.replaceAll('|', '\\|');
}

function codes(names) {
  return names.map(name => `\`${name}\``).join(', ');
}

function modesInWords(names) {
  if (names.length === modeNames.length) return 'all';
  const missing = modeNames.filter(mode => !names.includes(mode));
  return missing.length < names.length ? `all but ${codes(missing)}` : codes(names);
}

function helpSection([name, { help }]) {
  return `### ${name}\n\n${fenced(help)}`;
}

function fenced(text) {
  return ['```', text.trim(), '```'].join('\n');
}

async function loadAll(entries) {
  const loaded = Object.entries(entries).map(async ([name, load]) => [name, await load()]);
  return Object.fromEntries(await Promise.all(loaded));
}

/** The commands in the order of `holdfast --help`, each with its own help text, and that help itself. */
async function readCommands(columns) {
  const overview = await outputOf(['--help'], columns);
  const names = [...overview.matchAll(/^ {2}holdfast (\w+)/gm)].map(([, name]) => name);
  const found = {};
  for (const name of names) {
    const help = withoutCommonFlags(await outputOf([name, '--help'], columns));
    const [, describe = ''] = /^.*\n\n((?:.+\n)+)/.exec(help) ?? [];
    found[name] = { describe: describe.trim().replaceAll(/\s+/g, ' '), help };
  }
  return { overview, commands: found };
}

/** Every command has --help and --version. The default of --at-once follows from the processors of this machine. */
function withoutCommonFlags(help) {
  return help
    .replaceAll(/^ +--(?:help|version) .*\n/gm, '')
    .replaceAll(/\n\nOptions:\n(?=\n|$)/g, '\n')
    .replace(/(--at-once[\s\S]*?\[default: )\d+\]/, '$1by processors]');
}

async function readScenarios() {
  const folder = path.join(root, 'scenarios');
  const files = readdirSync(folder).filter(file => file.endsWith('.yaml'));
  const found = files.map(async file => [path.basename(file, '.yaml'), await readScenario(path.join(folder, file))]);
  return Object.fromEntries(await Promise.all(found));
}

/** The length of a token depends on the time at which it is made: its dates have up to three decimals. */
async function atFixedTime(work) {
  const { now } = Date;
  Date.now = () => 1_800_000_000_123;
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}

/** Runs a command line in this process and returns what it prints on stdout. */
async function outputOf(words, columns = pageColumns) {
  const { log } = console;
  const { write } = process.stdout;
  const printed = [];
  Object.defineProperty(process.stdout, 'columns', { value: columns, configurable: true });
  console.log = (...texts) => printed.push(`${texts.join(' ')}\n`);
  process.stdout.write = text => printed.push(String(text)) > 0;
  try {
    await runCommandLine(words, 'holdfast', columns);
  } finally {
    console.log = log;
    process.stdout.write = write;
  }
  return printed.join('');
}
