import { type ChartKind, drawChart, shareCursor } from './charts.js';
import { type CaseFile, incidentCells, type TimelineColumns, userColumn } from './columns.js';
import { addRow, openStory, textElement } from './stories.js';

const fewRows = 200;
/** A browser needs a second to lay out this many rows. */
const manyRows = 5_000;

/** Draws the plots and makes the page interactive. Without this script the report lacks only the plots. */
function start(): void {
  const figure = document.querySelector<HTMLElement>('figure.timeline');
  const text = document.querySelector('#timeline-data')?.textContent;
  if (figure === null || !text) return;
  const timeline: TimelineColumns = JSON.parse(text);
  figure.classList.add('live');
  const plots = [...figure.querySelectorAll<HTMLElement>('[data-chart]')].flatMap(place => plotIn(place, timeline));
  keepInShape(figure, plots);
  // uPlot draws in a microtask. This one runs after it, when the axes are known.
  queueMicrotask(() => {
    performance.mark('holdfast-drawn');
    shareCursor(
      figure,
      timeline,
      plots.map(({ plot }) => plot),
    );
  });
  for (const part of document.querySelectorAll<HTMLElement>('[data-cases]')) connectCases(part, timeline);
}

interface Placed {
  readonly place: HTMLElement;
  readonly plot: ReturnType<typeof drawChart>;
}

function plotIn(place: HTMLElement, timeline: TimelineColumns): Placed[] {
  const run = timeline.runs[Number(place.dataset.run)];
  const kind = place.dataset.chart;
  if (run === undefined || !isChart(kind)) return [];
  return [{ place, plot: drawChart(place, kind, run, timeline) }];
}

function isChart(kind: string | undefined): kind is ChartKind {
  return kind === 'requests' || kind === 'trouble' || kind === 'latency';
}

/** Redraws the plots when the width or the colours change, or for print: a canvas does not adapt by itself. */
function keepInShape(figure: HTMLElement, plots: readonly Placed[]): void {
  const redraw = (): void => {
    for (const { place, plot } of plots) plot.setSize({ width: place.clientWidth, height: place.clientHeight });
    // Moves the points of the cursor to their new positions.
    queueMicrotask(() => figure.querySelector('input')?.dispatchEvent(new Event('input')));
  };
  let width = figure.clientWidth;
  new ResizeObserver(() => {
    if (figure.clientWidth === width) return;
    width = figure.clientWidth;
    redraw();
  }).observe(figure);
  for (const query of ['print', '(prefers-color-scheme: dark)', '(max-width: 600px)']) {
    matchMedia(query).addEventListener('change', redraw);
  }
}

/**
 * Connects the tables and marks of one run to its stories. The stories are parsed on first use, because most readers
 * open only one or two of them.
 */
function connectCases(part: HTMLElement, timeline: TimelineColumns): void {
  const run = Number(part.dataset.cases);
  let parsed: CaseFile | undefined;
  const file = (): CaseFile => {
    parsed ??= JSON.parse(document.querySelector(`#cases-${run}`)?.textContent ?? '');
    if (parsed === undefined) throw new Error(`the stories of run ${run} are not in the page`);
    return parsed;
  };
  const open = (incident: number): void => openStory(file(), timeline.runs[run]?.name ?? '', incident);
  for (const table of part.querySelectorAll<HTMLTableElement>('table[data-next]')) makeInteractive(table, file, open);
  const lanes = document.querySelectorAll(`[data-lanes="${run}"] .plot`);
  for (const lane of lanes) connectMarks(lane, open);
}

start();

/**
 * Makes the marks of lost writes and logged-out users open stories by a click. For the keyboard each lane is one tab
 * stop: the arrow keys move from mark to mark, and Enter opens.
 */
function connectMarks(lane: Element, open: (incident: number) => void): void {
  const marks = [...lane.querySelectorAll<SVGElement>('[data-incident]')];
  marks.forEach((mark, index) => {
    mark.setAttribute('role', 'button');
    mark.setAttribute('aria-label', mark.querySelector('title')?.textContent ?? '');
    mark.tabIndex = index === 0 ? 0 : -1;
    mark.addEventListener('click', () => open(Number(mark.dataset.incident)));
    mark.addEventListener('keydown', event => press(event, marks, index, open));
  });
  if (marks.length > 0) lane.setAttribute('role', 'group');
}

const stepOfKey: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

function press(event: KeyboardEvent, marks: readonly SVGElement[], at: number, open: (incident: number) => void): void {
  const step = stepOfKey[event.key];
  if (event.key === 'Enter' || event.key === ' ') open(Number(marks[at]?.dataset.incident));
  else if (step === undefined) return;
  event.preventDefault();
  const next = marks[at + (step ?? 0)];
  if (next === undefined || step === undefined) return;
  for (const mark of marks) mark.tabIndex = mark === next ? 0 : -1;
  next.focus();
}

/** Makes each row of a table open its story. Adds buttons that show more rows, because the table starts with a few. */
function makeInteractive(table: HTMLTableElement, file: () => CaseFile, open: (incident: number) => void): void {
  for (const row of table.tBodies[0]?.rows ?? []) connectRow(row, open);
  const [next, end] = [Number(table.dataset.next), Number(table.dataset.end)];
  if (next >= end) return;
  const withKind = table.dataset.withKind === 'yes';
  const buttons = document.createElement('p');
  let from = next;
  const grow = (to: number): void => {
    for (; from < Math.min(to, end); from += 1) {
      const cells = incidentCells(file(), from);
      const row = addRow(table, withKind ? cells : cells.slice(1));
      row.dataset.incident = String(from);
      connectRow(row, open);
    }
    offer();
  };
  const offer = (): void => {
    const rest = end - from;
    const all = rest <= manyRows;
    const steps = [
      ...(rest > fewRows ? [button(`Show ${fewRows} more`, () => grow(from + fewRows))] : []),
      ...(rest > 0 ? [button(all ? `Show all ${rest}` : `Show ${manyRows} more`, () => grow(from + manyRows))] : []),
    ];
    buttons.replaceChildren(...steps);
  };
  offer();
  buttons.className = 'more';
  table.parentElement?.after(buttons);
}

/** Makes a row open a story: by a click anywhere, and by keyboard with a button on its user. */
function connectRow(row: HTMLTableRowElement, open: (incident: number) => void): void {
  const incident = Number(row.dataset.incident);
  const column = row.closest('table')?.dataset.withKind === 'yes' ? userColumn : userColumn - 1;
  const cell = row.cells[column];
  if (cell === undefined || row.dataset.incident === undefined) return;
  const opener = document.createElement('button');
  opener.type = 'button';
  opener.className = 'opener';
  opener.append(...cell.childNodes);
  cell.replaceChildren(opener);
  row.addEventListener('click', () => open(incident));
}

function button(text: string, act: () => void): HTMLElement {
  const element = textElement('button', text);
  element.addEventListener('click', act);
  return element;
}
