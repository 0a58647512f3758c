import type UPlot from 'uplot';
import { decades, logRange, roundUp, tickText } from '../../report/numbers.js';
import { type BinView, type MarkView, type SideView, shownMs } from '../protocol.js';
import { make } from './dom.js';

/** The page loads it before this script. */
declare const uPlot: typeof UPlot;

const gutter = 46;
/** Room for the right half of the last label. */
const endRoom = 14;
/** Height of each lane of marks below the bars. */
const laneHeight = 17;
const colourNames = [
  'ok',
  'failed',
  'unknown',
  'unknown-fill',
  'p50',
  'p99',
  'muted',
  'grid',
  'band',
  'confirmed',
  'requested',
  'state-logged-out',
  'state-has-lost',
  'state-someone-else',
] as const;
type ColourName = (typeof colourNames)[number];

/** The lanes of one side: answers, marks of losses, and response times. They show the last 60 s, or a whole recorded run. */
export class SideTimeline {
  readonly place = make('div', { class: 'timeline' });
  readonly #answers = make('div', { class: 'chart answers', role: 'img' });
  readonly #speed = make('div', { class: 'chart speed', role: 'img' });
  #plots: UPlot[] = [];
  #colours: Record<string, string> = {};
  #view: SideView | undefined;
  readonly #wholeMs: number | undefined;

  /** `wholeMs`: the length of the recorded run that the timeline shows. Undefined: it shows the last 60 s. */
  constructor(side: string, wholeMs: number | undefined) {
    this.#wholeMs = wholeMs;
    const time = wholeMs === undefined ? 'the last 60 seconds' : 'the run';
    this.#answers.setAttribute('aria-label', `${side}: answers per second, faults and losses of ${time}`);
    this.#speed.setAttribute('aria-label', `${side}: response times of ${time}`);
    this.place.append(
      heading('Answers per second', ['ok', 'unknown', 'failed'], ['logged out', 'write lost', 'fault']),
      this.#answers,
      heading('Response time', ['p50', 'p99'], []),
      this.#speed,
    );
  }

  /** Builds the plots for the present width and colours. */
  arrange(): void {
    for (const plot of this.#plots) plot.destroy();
    const style = getComputedStyle(document.documentElement);
    this.#colours = Object.fromEntries(colourNames.map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.#plots = [this.#makeAnswers(), this.#makeSpeed()];
    this.draw(this.#view);
  }

  draw(view: SideView | undefined): void {
    this.#view = view;
    if (view === undefined) return;
    const [answers, speed] = [answerColumns(view.bins), speedColumns(view.bins)];
    const toMs = this.#wholeMs ?? view.nowMs;
    const range = { min: (toMs - (this.#wholeMs ?? shownMs)) / 1000, max: toMs / 1000 };
    for (const [index, plot] of this.#plots.entries()) {
      // Without a batch uPlot draws later, in a microtask.
      plot.batch(() => {
        plot.setData(index === 0 ? answers : speed, false);
        plot.setScale('x', range);
      });
    }
  }

  #colour(name: ColourName): string {
    return this.#colours[name] ?? '#888';
  }

  #makeAnswers(): UPlot {
    const bars = uPlot.paths.bars?.({ size: [0.8], align: 1 });
    const bar = (fill: ColourName, stroke: ColourName): UPlot.Series => ({
      fill: this.#colour(fill),
      stroke: this.#colour(stroke),
      width: fill === 'unknown-fill' ? 1 : 0,
      points: { show: false },
      ...(bars && { paths: bars }),
    });
    return this.#make(this.#answers, {
      padding: [8, endRoom, laneHeight * 2 + 8, 0],
      scales: { y: { range: (_, _min, max) => [0, roundUp(Math.max(max, 4))] } },
      axes: [
        this.#timeAxis(),
        this.#axis({ splits: (_, _axis, _min, max) => [0, max], values: (_, at) => at.map(String) }),
      ],
      series: [{}, bar('failed', 'failed'), bar('unknown-fill', 'unknown'), bar('ok', 'ok')],
      hooks: { drawClear: [plot => this.#drawFaults(plot)], draw: [plot => this.#drawMarks(plot)] },
    });
  }

  #makeSpeed(): UPlot {
    const line = (name: ColourName, width: number): UPlot.Series => ({
      stroke: this.#colour(name),
      width,
      points: { show: false },
    });
    return this.#make(this.#speed, {
      padding: [8, endRoom, 0, 0],
      scales: { y: { distr: 3, range: (_, min, max) => logRange(min, max) } },
      axes: [
        {
          ...this.#timeAxis(),
          size: 22,
          values: plot => this.#timesShown(plot).map(({ label }) => label),
        },
        this.#axis({
          splits: (_, _axis, min, max) => decades(min, max),
          filter: (_, at) => at,
          values: (_, at) => at.map((value, index) => (index % 2 === 0 ? tickText(value) : '')),
        }),
      ],
      series: [{}, line('p50', 1.5), line('p99', 2)],
      hooks: { drawClear: [plot => this.#drawFaults(plot)] },
    });
  }

  #make(place: HTMLElement, options: Pick<UPlot.Options, 'padding' | 'scales' | 'axes' | 'series' | 'hooks'>): UPlot {
    const x: UPlot.Scale = { time: false, auto: false };
    return new uPlot(
      {
        width: Math.max(place.clientWidth, 60),
        height: place.clientHeight,
        legend: { show: false },
        cursor: { show: false },
        ...options,
        scales: { ...options.scales, x },
      },
      [[], ...(options.series?.slice(1) ?? []).map(() => [])],
      place,
    );
  }

  #axis(own: UPlot.Axis): UPlot.Axis {
    return {
      size: gutter,
      gap: 6,
      font: '11px system-ui, sans-serif',
      stroke: this.#colour('muted'),
      grid: { stroke: this.#colour('grid'), width: 1 },
      ticks: { show: false },
      ...own,
    };
  }

  #timeAxis(): UPlot.Axis {
    return this.#axis({
      size: 0,
      splits: plot => this.#timesShown(plot).map(({ at }) => at),
      values: () => [],
    });
  }

  /** Returns the times with a line and a label: fewer where the labels would touch. */
  #timesShown(plot: UPlot): readonly { readonly at: number; readonly label: string }[] {
    const isNarrow = plot.width < 320;
    const to = (this.#wholeMs ?? this.#view?.nowMs ?? 0) / 1000;
    if (this.#wholeMs === undefined) {
      const ages = isNarrow ? [60, 30, 0] : [60, 45, 30, 15, 0];
      return ages.map(ago => ({ at: to - ago, label: ago === 0 ? 'now' : `−${ago} s` }));
    }
    const step = [1, 2, 5, 10, 15, 30].find(each => to / each < (isNarrow ? 4 : 8)) ?? 60;
    return Array.from({ length: Math.floor(to / step) + 1 }, (_, index) => ({
      at: index * step,
      label: `${index * step} s`,
    }));
  }

  #drawFaults(plot: UPlot): void {
    const { ctx, bbox } = plot;
    for (const { requestedMs, confirmedMs, healedMs } of this.#view?.strikes ?? []) {
      const [from, to] = [placeOf(plot, requestedMs), placeOf(plot, healedMs ?? this.#view?.nowMs ?? 0)];
      if (to <= bbox.left) continue;
      ctx.fillStyle = this.#colour('band');
      ctx.fillRect(from, bbox.top, Math.max(1, to - from), bbox.height);
      ctx.fillStyle = this.#colour(confirmedMs === null ? 'requested' : 'confirmed');
      ctx.fillRect(from, bbox.top, Math.max(1, to - from), 3 * devicePixelRatio);
    }
  }

  /** Draws each loss: a short tick at the acknowledgement, a tall one at the discovery, and a line between them. */
  #drawMarks(plot: UPlot): void {
    const { ctx, bbox } = plot;
    const unit = devicePixelRatio;
    for (const [row, label] of lanes.entries()) {
      const top = bbox.top + bbox.height + (4 + row * laneHeight) * unit;
      ctx.fillStyle = this.#colour('grid');
      ctx.fillRect(bbox.left, top + (laneHeight - 1) * unit, bbox.width, unit);
      ctx.fillStyle = this.#colour('muted');
      ctx.font = `${10 * unit}px system-ui, sans-serif`;
      ctx.textAlign = 'right';
      ctx.fillText(
        label === 'lost' ? 'lost' : bbox.left < 50 * unit ? 'out' : label,
        bbox.left - 6 * unit,
        top + 11 * unit,
      );
      const marks = (this.#view?.marks ?? []).filter(({ kind }) => laneOf(kind) === label);
      this.#drawTicks(plot, marks, top, label === 'lost');
    }
  }

  #drawTicks(plot: UPlot, marks: readonly MarkView[], top: number, withStart: boolean): void {
    const { ctx, bbox } = plot;
    const unit = devicePixelRatio;
    const drawn = new Set<number>();
    for (const { kind, sinceMs, seenMs } of marks) {
      const [since, seen] = [Math.round(placeOf(plot, sinceMs)), Math.round(placeOf(plot, seenMs))];
      ctx.fillStyle = this.#colour(markColours[kind]);
      if (withStart && since >= bbox.left && !drawn.has(-since)) {
        drawn.add(-since);
        ctx.globalAlpha = 0.55;
        ctx.fillRect(since, top + 8 * unit, unit, 6 * unit);
        ctx.globalAlpha = 1;
      }
      if (seen < bbox.left || drawn.has(seen)) continue;
      drawn.add(seen);
      ctx.fillRect(seen, top + 1 * unit, 1.5 * unit, 13 * unit);
    }
  }
}

const lanes = ['logged out', 'lost'] as const;

/** Returns the lane in which a mark is drawn. A missing write may still prove lost. */
export function laneOf(kind: MarkView['kind']): (typeof lanes)[number] {
  return kind === 'lost' || kind === 'missing' ? 'lost' : 'logged out';
}

const markColours = {
  lost: 'state-has-lost',
  missing: 'state-has-lost',
  'logged-out': 'state-logged-out',
  'identity-swapped': 'state-someone-else',
} as const;

function placeOf(plot: UPlot, ms: number): number {
  const { bbox } = plot;
  const place = plot.valToPos(ms / 1000, 'x', true);
  return Math.min(Math.max(place, bbox.left - 1), bbox.left + bbox.width);
}

function heading(title: string, keys: readonly string[], marks: readonly string[]): HTMLElement {
  const items = [...keys, ...marks].map(key => make('li', { 'data-key': key }, key));
  return make('div', { class: 'lane-head' }, make('h3', {}, title), make('ul', { class: 'legend' }, ...items));
}

/** The columns of the stacked bars. uPlot draws the first series first, so the tallest comes first. */
function answerColumns(bins: readonly BinView[]): UPlot.AlignedData {
  return [
    bins.map(({ atMs }) => atMs / 1000),
    bins.map(({ ok, unknown, failed }) => (failed > 0 ? ok + unknown + failed : null)),
    bins.map(({ ok, unknown }) => (unknown > 0 ? ok + unknown : null)),
    bins.map(({ ok }) => ok || null),
  ];
}

function speedColumns(bins: readonly BinView[]): UPlot.AlignedData {
  const raise = (value: number | null) => (value === null ? null : Math.max(value, 0.1));
  return [
    bins.map(({ atMs }) => atMs / 1000 + 0.5),
    bins.map(({ p50Ms }) => raise(p50Ms)),
    bins.map(({ p99Ms }) => raise(p99Ms)),
  ];
}
