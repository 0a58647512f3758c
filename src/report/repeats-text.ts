import pc from 'picocolors';
import {
  describeInterval,
  describeLost,
  type RepeatedExpectation,
  type RepeatSummary,
  type Spread,
} from '../simulator/checker/verdict/repeats.js';
import { fitTable, toPrintable } from './fitted-table.js';
import type { ReporterOptions } from './reporter.js';
import { count, duration } from './words.js';

/** Renders the repeats of each mode for a terminal: verdicts, losses, every expectation, the main figures. */
export function repeatsText(summaries: readonly RepeatSummary[], options: ReporterOptions): string {
  return summaries.map(summary => `${summaryText(summary, options)}\n`).join('\n');
}

function summaryText(summary: RepeatSummary, { colour, columns = Number.POSITIVE_INFINITY }: ReporterOptions): string {
  const colours = pc.createColors(colour);
  const head = (titles: readonly string[]) => titles.map(title => colours.bold(title));
  const { mode, expectations, figures } = summary;
  return [
    colours.bold(toPrintable(`${mode}, ${describeVerdicts(summary)}`)),
    describeLost(summary),
    fitTable(
      {
        head: head(['expected', 'held in', 'share of all such runs']),
        rows: expectations.map(expectationRow),
        aligns: ['left', 'right', 'right'],
      },
      columns,
    ),
    fitTable(
      {
        head: head(['figure', 'runs', 'smallest', 'median', 'largest']),
        rows: figures.map(figureRow),
        aligns: ['left', 'right', 'right', 'right', 'right'],
      },
      columns,
    ),
  ].join('\n');
}

/** Returns for example `20 runs: 19 pass, 1 fail`. */
function describeVerdicts({ runs, verdicts }: RepeatSummary): string {
  const said = Object.entries(verdicts).filter(([, times]) => times > 0);
  return `${runs} runs: ${said.map(([word, times]) => `${times} ${word}`).join(', ')}`;
}

function expectationRow({ text, level, held, judged, low, high }: RepeatedExpectation): string[] {
  const name = level === 'warn' ? `${text} (a warning)` : text;
  return [toPrintable(name), `${held} of ${judged}`, describeInterval({ times: held, of: judged, low, high })];
}

function figureRow({ name, runs, min, median, max }: Spread): string[] {
  const isTime = name.endsWith('Ms') || name.startsWith('latencyMs.');
  const shown = (value: number | null) => (isTime ? duration(value) : value === null ? '–' : count(value));
  return [name, String(runs), shown(min), shown(median), shown(max)];
}
