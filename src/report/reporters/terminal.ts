import pc from 'picocolors';
import type { JudgedRun, VerdictWord } from '../../simulator/checker/verdict.js';
import { type Cell, type Comparison, compare, labels } from '../comparison.js';
import { type FittedTable, fittedTable, printable, tableWidth } from '../fitted-table.js';
import { listNotJudged, listUnmet, listWarnings } from '../judged-expectations.js';
import type { Reporter } from '../reporter.js';
import { sentence } from '../sentence.js';

/** What is wider with the modes side by side has them one below the other. */
const tableColumnsMax = 100;
/** One for each mode, and at least so many: that keeps the whole at 20 lines for two modes. JSON and HTML hold the rest. */
const remarksMin = 4;

type Colours = ReturnType<typeof pc.createColors>;

export const terminal: Reporter = (runs, { colour, columns = Number.POSITIVE_INFINITY }) => {
  const colours = pc.createColors(colour);
  const blocks = [heading(runs, colours), table(compare(runs), colours, columns), sentences(runs, colours)];
  const remarks = limited(remarksOf(runs), Math.max(remarksMin, runs.length)).map(printable);
  return `${[...blocks, ...remarks].join('\n')}\n`;
};

function heading([first]: readonly JudgedRun[], colours: Colours): string {
  return first === undefined
    ? ''
    : colours.bold(printable(`${first.run.header.scenario}, seed ${first.run.header.seed}`));
}

function sentences(runs: readonly JudgedRun[], colours: Colours): string {
  return runs.map(judged => paint(colours, judged.verdict.word)(printable(sentence(judged)))).join('\n');
}

function table(comparison: Comparison, colours: Colours, columns: number): string {
  const wide = sideBySide(comparison, colours);
  const columnsMax = Math.min(tableColumnsMax, columns);
  const text = fittedTable(wide, Number.POSITIVE_INFINITY);
  return tableWidth(text) <= columnsMax ? text : fittedTable(oneBelowTheOther(comparison, colours), columnsMax);
}

function sideBySide({ columns, rows }: Comparison, colours: Colours): FittedTable {
  return lines(
    ['', ...columns.map(printable)],
    rows.map(({ label, cells }) => [label, ...cells.map(cell => painted(cell, colours))]),
    colours,
  );
}

function oneBelowTheOther({ columns, rows }: Comparison, colours: Colours): FittedTable {
  const titles = rows.map(({ label }) =>
    label.replace(' / ', ' /\n').replace(/^(users|writes|requests|latency) /, '$1\n'),
  );
  const cellsOf = (index: number) => rows.flatMap(({ cells }) => cells[index] ?? []);
  return lines(
    ['mode', ...titles],
    columns.map((column, index) => [
      printable(column),
      ...cellsOf(index).map(cell => painted(cell, colours, / (?=\()/)),
    ]),
    colours,
  );
}

function lines(head: string[], rows: string[][], colours: Colours): FittedTable {
  return {
    head: head.map(title => colours.bold(title)),
    rows,
    aligns: head.map((_, index) => (index === 0 ? 'left' : 'right')),
  };
}

/** The note stands on a line of its own, and so does what follows a match of `breaks`. */
function painted({ text, note, tone }: Cell, colours: Colours, breaks?: RegExp): string {
  const texts = breaks === undefined ? [text] : text.split(breaks);
  const shown = (note === undefined ? texts : [...texts.slice(0, -1), `${texts.at(-1)},`, note]).map(printable);
  if (tone === 'plain') return shown.join('\n');
  return shown.map(tone === 'loss' ? colours.bold : paint(colours, tone)).join('\n');
}

function paint(colours: Colours, word: VerdictWord): (text: string) => string {
  return { pass: colours.green, fail: colours.red, inconclusive: colours.yellow }[word];
}

/** Why a verdict is no pass: every other reason, and every expectation that was not met, with what was measured. Warnings
 * and what was not judged are shown with every verdict. */
function remarksOf(runs: readonly JudgedRun[]): string[] {
  const names = labels(runs);
  return runs.flatMap(({ verdict }, index) => {
    const unmet = listUnmet(verdict);
    // An expectation that was not met is a reason too: one line for it is enough.
    const isListed = (reason: string) => unmet.some(({ text }) => reason.startsWith(`Expected ${text}`));
    const lines = [
      ...verdict.reasons.filter(reason => !isListed(reason)),
      ...unmet.map(({ text, actual }) => `expected ${text}, measured ${actual}`),
      ...listWarnings(verdict).map(warning => `warning: ${warning}`),
      ...listNotJudged(verdict),
    ];
    return lines.map(line => `${names[index]}: ${line}`);
  });
}

function limited(remarks: readonly string[], remarksMax: number): readonly string[] {
  if (remarks.length <= remarksMax) return remarks;
  const shown = remarks.slice(0, remarksMax - 1);
  return [...shown, `… and ${remarks.length - shown.length} more: --json or --html shows them all`];
}
