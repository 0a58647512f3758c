import pc from 'picocolors';
import type { JudgedRun, VerdictWord } from '../../simulator/checker/verdict/verdict.js';
import { type Comparison, type ComparisonCell, compare, labelRuns } from '../comparison.js';
import { type FittedTable, fitTable, tableWidth, toPrintable } from '../fitted-table.js';
import { listNotJudged, listUnmet, listWarnings } from '../judged-run.js';
import type { Reporter } from '../reporter.js';
import { describeRun, nameScenario } from '../sentence.js';

/** Maximum width with the modes side by side. A wider table shows them one below the other. */
const tableColumnsMax = 100;
/** The length of `19 of 21 exposed (64 users)`: with it two modes fit into 80 columns. */
const wholeNoteMax = 28;
/**
 * Minimum of remarks; otherwise one per mode. The report of two modes then has 20 lines. JSON and HTML hold the rest.
 */
const remarksMin = 4;

type Colours = ReturnType<typeof pc.createColors>;

export const terminal: Reporter = (runs, { colour, columns = Number.POSITIVE_INFINITY }) => {
  const colours = pc.createColors(colour);
  const blocks = [heading(runs, colours), table(compare(runs), colours, columns), sentences(runs, colours)];
  const remarks = limitRemarks(remarksOf(runs), Math.max(remarksMin, runs.length)).map(toPrintable);
  return `${[...blocks, ...remarks].join('\n')}\n`;
};

function heading([first]: readonly JudgedRun[], colours: Colours): string {
  return first === undefined
    ? ''
    : colours.bold(toPrintable(`${nameScenario(first.run.header)}, seed ${first.run.header.seed}`));
}

function sentences(runs: readonly JudgedRun[], colours: Colours): string {
  const names = labelRuns(runs);
  return runs
    .map((judged, index) => paint(colours, judged.verdict.word)(toPrintable(describeRun(judged, names[index]))))
    .join('\n');
}

/** Draws the first form that is narrow enough. When none is, draws several tables. */
function table(comparison: Comparison, colours: Colours, columns: number): string {
  const columnsMax = Math.min(tableColumnsMax, columns);
  const loose = inPieces(colours, / (?=\+)|(?<=\/) /);
  const narrow = inPieces(colours, / (?=[(+])|(?<=\/) /);
  const forms = [
    sideBySide(comparison, colours, inOnePiece(colours)),
    oneBelowTheOther(comparison, colours, loose),
    sideBySide(comparison, colours, narrow),
  ];
  const fitting = forms
    .map(form => fitTable(form, Number.POSITIVE_INFINITY))
    .find(text => tableWidth(text) <= columnsMax);
  return fitting ?? fitTable(oneBelowTheOther(comparison, colours, narrow), columnsMax);
}

type Painter = (cell: ComparisonCell) => string;

function sideBySide({ columns, rows }: Comparison, colours: Colours, painted: Painter): FittedTable {
  return lines(
    ['', ...columns.map(toPrintable)],
    rows.map(({ label, cells }) => [label, ...cells.map(painted)]),
    colours,
  );
}

function oneBelowTheOther({ columns, rows }: Comparison, colours: Colours, painted: Painter): FittedTable {
  const titles = rows.map(({ label }) =>
    label.replace(' / ', ' /\n').replace(/^(users|writes|requests|latency|effect of) /, '$1\n'),
  );
  const cellsOf = (index: number) => rows.flatMap(({ cells }) => cells[index] ?? []);
  return lines(
    ['mode', ...titles],
    columns.map((column, index) => [toPrintable(column), ...cellsOf(index).map(painted)]),
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

/** Paints a cell without breaking its text. A note that would make the text too long gets a separate line. */
function inOnePiece(colours: Colours): Painter {
  return ({ text, note, tone }) => {
    if (note === undefined) return paintedLines([text], tone, colours);
    const whole = `${text}, ${note}`;
    return paintedLines(whole.length <= wholeNoteMax ? [whole] : [text, note], tone, colours);
  };
}

/** Paints a cell. Begins a new line at each match of `breaks`, and one for the note. */
function inPieces(colours: Colours, breaks: RegExp): Painter {
  return ({ text, note, tone }) => {
    const pieces = text.split(breaks);
    return paintedLines(note === undefined ? pieces : [...pieces, note], tone, colours);
  };
}

/** Paints each line separately, because the table draws its borders between them. */
function paintedLines(texts: readonly string[], tone: ComparisonCell['tone'], colours: Colours): string {
  const shown = texts.map(toPrintable);
  if (tone === 'plain') return shown.join('\n');
  return shown.map(tone === 'loss' ? colours.bold : paint(colours, tone)).join('\n');
}

function paint(colours: Colours, word: VerdictWord): (text: string) => string {
  return { pass: colours.green, fail: colours.red, inconclusive: colours.yellow }[word];
}

/**
 * Lists why a verdict is not a pass: the reasons, and every unmet expectation with its measured value. With every
 * verdict it lists the warnings and the expectations that were not judged.
 */
function remarksOf(runs: readonly JudgedRun[]): string[] {
  const names = labelRuns(runs);
  return runs.flatMap(({ verdict, findings }, index) => {
    const unmet = listUnmet(verdict);
    // An unmet expectation is also a reason; one line for it is enough.
    const isListed = (reason: string) => unmet.some(({ text }) => reason.startsWith(`Expected ${text}`));
    const lines = [
      ...verdict.reasons.filter(reason => !isListed(reason)),
      ...unmet.map(({ text, actual }) => `expected ${text}, measured ${actual}`),
      ...listWarnings({ verdict, findings }).map(warning => `warning: ${warning}`),
      ...listNotJudged(verdict),
    ];
    return lines.map(line => `${names[index]}: ${line}`);
  });
}

function limitRemarks(remarks: readonly string[], remarksMax: number): readonly string[] {
  if (remarks.length <= remarksMax) return remarks;
  const shown = remarks.slice(0, remarksMax - 1);
  return [...shown, `… and ${remarks.length - shown.length} more: --json or --html shows them all`];
}
