import type UPlot from 'uplot';
import { count, decades, duration, logRange, roundUp, seconds, tickText } from '../numbers.js';
import type { RunColumns, TimelineColumns } from './columns.js';

/** The chart library, which the page loads before this script. */
declare const uPlot: typeof UPlot;

export type ChartKind = 'requests' | 'trouble' | 'latency';

/** Room above the curves for the marks of timed-out requests. */
const topLimit = 12;
/** Room for the lower half of the lowest label. */
const bottomLimit = 7;

/** Draws one plot of one run, as wide as its container. The other lanes share its horizontal axis. */
export function drawChart(place: HTMLElement, kind: ChartKind, run: RunColumns, timeline: TimelineColumns): UPlot {
  const { bucketMs, endMs } = timeline;
  const middles = run.planned.map((_, index) => ((index + 0.5) * bucketMs) / 1000);
  const { series, data, log } = charts[kind](run);
  const options: UPlot.Options = {
    width: place.clientWidth,
    height: place.clientHeight,
    padding: [topLimit, 0, bottomLimit, 0],
    legend: { show: false },
    cursor: { x: false, y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: false, range: [0, endMs / 1000] }, y: log ? logScale : countScale },
    axes: [{ show: false }, log ? logAxis : countAxis],
    series: [{}, ...series],
    hooks: kind === 'latency' ? { draw: [plot => markTimeouts(plot, run.timeouts)] } : {},
  };
  return new uPlot(options, [middles, ...data], place);
}

interface Chart {
  readonly series: UPlot.Series[];
  readonly data: (readonly (number | null)[])[];
  readonly log: boolean;
}

const charts: Record<ChartKind, (run: RunColumns) => Chart & { data: UPlot.AlignedData[number][] }> = {
  requests: run => ({
    series: [bars('--ok', '--ok'), { ...line('--planned', 1.5, [4, 3]), paths: steps }],
    data: [bar(run.ok), [...run.planned]],
    log: false,
  }),
  // Failed is filled, unknown above it is pale, dropped on top is empty: they differ even without colours.
  trouble: run => ({
    series: [bars('--page', '--muted'), bars('--unknown-fill', '--unknown'), bars('--failed', '--failed')],
    data: [sum(run.failed, run.unknown, run.dropped), sum(run.failed, run.unknown), sum(run.failed)].map(bar),
    log: false,
  }),
  latency: run => ({
    series: [line('--max', 1, [2, 3]), line('--p99', 2.25), line('--p50', 1.5)],
    data: [raiseToPositive(run.max), raiseToPositive(run.p99), raiseToPositive(run.p50)],
    log: true,
  }),
};

function sum(...columns: readonly (readonly number[])[]): number[] {
  return (columns[0] ?? []).map((_, index) => columns.reduce((all, column) => all + (column[index] ?? 0), 0));
}

/** Replaces 0 by null: a bar of height 0 would still have a visible border. */
function bar(values: readonly number[]): (number | null)[] {
  return values.map(value => value || null);
}

/** Raises values to at least 0.01, because a logarithmic scale cannot show 0. */
function raiseToPositive(values: readonly (number | null)[]): (number | null)[] {
  return values.map(value => (value === null ? null : Math.max(value, 0.01)));
}

const countScale: UPlot.Scale = { range: (_, _min, max) => [0, roundUp(Math.max(max, 1))] };
const logScale: UPlot.Scale = { distr: 3, range: (_, min, max) => logRange(min, max) };

const axis: UPlot.Axis = {
  size: () => gutter(),
  gap: 8,
  font: '11px system-ui, sans-serif',
  stroke: () => colour('--muted'),
  grid: { stroke: () => colour('--grid'), width: 1 },
  ticks: { show: false },
};

const countAxis: UPlot.Axis = {
  ...axis,
  splits: (_, _axis, _min, max) => [0, max],
  values: (_, splits) => splits.map(value => value.toLocaleString('en-US')),
};

const logAxis: UPlot.Axis = {
  ...axis,
  splits: (_, _axis, min, max) => decades(min, max),
  filter: (_, splits) => splits,
  values: (_, splits) => splits.map(tickText),
};

function bars(fill: string, stroke: string): UPlot.Series {
  const paths = uPlot.paths.bars?.({ size: [1, Number.POSITIVE_INFINITY], align: 0 });
  const look = { fill: () => colour(fill), stroke: () => colour(stroke), width: 1, points: { show: false } };
  return paths === undefined ? look : { ...look, paths };
}

function line(stroke: string, width: number, dash: number[] = []): UPlot.Series {
  return {
    stroke: () => colour(stroke),
    width,
    dash,
    points: { show: true, size: 4, width: 1, filter: findLonePoints },
  };
}

/** Finds points without neighbours. They are drawn as dots, because no line would show them. */
function findLonePoints(plot: UPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  return Array.from(values, (value, index) =>
    value != null && values[index - 1] == null && values[index + 1] == null ? index : -1,
  ).filter(index => index >= 0);
}

/** Draws a step line: flat over each bucket, vertical between buckets. */
function steps(plot: UPlot, series: number, from: number, to: number): UPlot.Series.Paths {
  const stroke = new Path2D();
  const [xs, ys] = [plot.data[0], plot.data[series] ?? []];
  const half = ((xs[0] ?? 0) * plot.bbox.width) / (plot.scales.x?.max || 1);
  for (let index = from; index <= to; index += 1) {
    const x = plot.valToPos(xs[index] ?? 0, 'x', true);
    const y = plot.valToPos(ys[index] ?? 0, 'y', true);
    stroke.lineTo(x - half, y);
    stroke.lineTo(x + half, y);
  }
  return { stroke, fill: null, clip: null };
}

function markTimeouts(plot: UPlot, timeouts: readonly number[]): void {
  const { ctx, bbox } = plot;
  const unit = bbox.top / topLimit;
  ctx.fillStyle = colour('--failed');
  timeouts.forEach((times, index) => {
    if (times === 0) return;
    const x = plot.valToPos(plot.data[0][index] ?? 0, 'x', true);
    ctx.beginPath();
    ctx.moveTo(x - 4 * unit, unit);
    ctx.lineTo(x + 4 * unit, unit);
    ctx.lineTo(x, 9 * unit);
    ctx.fill();
  });
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Reads the width of the gutter from the style sheet. It is wide enough for the labels of the lanes. */
function gutter(): number {
  const timeline = document.querySelector('.timeline');
  return timeline === null ? 0 : Number.parseFloat(getComputedStyle(timeline).getPropertyValue('--gutter'));
}

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
