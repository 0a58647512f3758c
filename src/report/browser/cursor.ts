import type UPlot from 'uplot';
import { count, duration, seconds } from '../words.js';
import type { RunColumns, TimelineColumns } from './columns.js';

/**
 * Makes one cursor across all lanes of all modes, for pointer and keyboard, and a table with the values of each mode at
 * the cursor.
 */
export function shareCursor(figure: HTMLElement, timeline: TimelineColumns, plots: readonly UPlot[]): void {
  const lanes = figure.querySelector('.lanes');
  const plot = figure.querySelector('.overlay.front');
  const line = figure.querySelector('.cursor');
  const slider = figure.querySelector('input');
  const reading = figure.querySelector<HTMLElement>('.reading');
  if (!lanes || !plot || !line || !slider || !reading) return;
  const say = readingTable(reading, timeline);
  const { bucketMs, endMs } = timeline;

  const show = (index: number): void => {
    const x = `${Math.min(100, (100 * (index + 0.5) * bucketMs) / endMs)}%`;
    line.setAttribute('x1', x);
    line.setAttribute('x2', x);
    for (const plot of plots) plot.setCursor({ left: plot.valToPos(plot.data[0][index] ?? 0, 'x'), top: 0 }, false);
    slider.value = String(index);
    slider.setAttribute('aria-valuetext', say(index));
  };
  const follow = (event: Event): void => {
    if (!(event instanceof PointerEvent) || event.target === slider) return;
    const { left, width } = plot.getBoundingClientRect();
    const index = Math.floor(((event.clientX - left) / width) * (endMs / bucketMs));
    show(Math.max(0, Math.min(Number(slider.max), index)));
  };
  lanes.addEventListener('pointermove', follow);
  lanes.addEventListener('pointerdown', follow);
  slider.addEventListener('input', () => show(slider.valueAsNumber));
  slider.addEventListener('focus', () => show(slider.valueAsNumber));
  show(Math.min(Number(slider.max), Math.floor(firstTrouble(timeline) / bucketMs)));
}

/** Returns the start of the first fault or state change: most readers look there first. */
function firstTrouble({ runs }: TimelineColumns): number {
  const moments = runs.flatMap(({ spans }) => spans.map(([, from]) => from));
  return moments.length === 0 ? 0 : Math.min(...moments);
}

const readingTitles = ['ok', 'failed', 'unknown', 'dropped', 'p50', 'p99', 'max', 'lost', 'logged out', 'in force'];

/**
 * Makes the table of values. Returns a function that shows one moment and describes it in one sentence. Each call
 * changes only the texts of the table.
 */
function readingTable(place: HTMLElement, timeline: TimelineColumns): (index: number) => string {
  const table = document.createElement('table');
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  const at = headCell(head, '');
  for (const title of readingTitles) headCell(head, title);
  const rows = timeline.runs.map(run => {
    const row = body.insertRow();
    headCell(row, run.name).scope = 'row';
    return { run, cells: readingTitles.map(() => row.insertCell()) };
  });
  place.replaceChildren(table);
  return index => {
    at.textContent = `at ${seconds(index * timeline.bucketMs)}`;
    const sentences = rows.map(({ run, cells }) => {
      const texts = readingsAt(run, index, timeline.bucketMs);
      cells.forEach((cell, column) => {
        cell.textContent = texts[column] ?? '';
      });
      return `${run.name}: ${texts.map((text, column) => `${readingTitles[column]} ${text}`).join(', ')}`;
    });
    return `${at.textContent}; ${sentences.join('; ')}`;
  };
}

function headCell(row: HTMLTableRowElement, text: string): HTMLTableCellElement {
  const cell = document.createElement('th');
  cell.scope = 'col';
  cell.textContent = text;
  row.append(cell);
  return cell;
}

/** Returns the values of one bucket, in the order of the titles. */
function readingsAt(run: RunColumns, index: number, bucketMs: number): string[] {
  const number = (column: readonly number[]) => count(column[index] ?? 0);
  const time = (column: readonly (number | null)[]) => duration(column[index] ?? Number.NaN);
  const [from, to] = [index * bucketMs, (index + 1) * bucketMs];
  const spans = run.spans.filter(([, start, end]) => start < to && end > from).map(([words]) => words);
  return [
    number(run.ok),
    number(run.failed),
    number(run.unknown),
    number(run.dropped),
    time(run.p50),
    time(run.p99),
    time(run.max),
    number(run.lostSoFar),
    number(run.loggedOutSoFar),
    spans.join(', ') || '–',
  ];
}
