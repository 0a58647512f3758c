import type UPlot from 'uplot';
import type { RunColumns, TimelineColumns } from './columns.js';
import { decades, logRange, roundUp, tickText } from './scales.js';

/** The page loads it before this script. */
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
