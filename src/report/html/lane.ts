import { type Markup, markup } from './markup.js';

/**
 * One lane of a timeline: a title with its legend, a gutter with the labels of the vertical axis, and the plot.
 * Horizontal positions are percentages of the run, and vertical ones are pixels, so the plot can have any width and its
 * text keeps its size. Style attributes are not used, because the content security policy of the page forbids them.
 */
export interface Lane extends LaneHead {
  readonly height: number;
  readonly labels?: readonly Label[];
  readonly plot: Markup | readonly Markup[];
}

interface LaneHead {
  readonly title: string;
  readonly legend?: readonly Key[];
  /** A description of the plot for readers who cannot see it. */
  readonly description: string;
}

/** A lane that the script of the page draws. Without the script the page shows the description. */
export interface ChartLane extends LaneHead {
  readonly chart: 'requests' | 'trouble' | 'latency';
}

export interface Key {
  readonly className: string;
  readonly text: string;
}

export interface Label {
  readonly y: number;
  readonly text: string;
}

export function laneMarkup(lane: Lane | ChartLane, run: number): Markup {
  return markup`<section class="lane">
${laneHead(lane)}
${'chart' in lane ? chartPlace(lane, run) : drawing(lane)}
</section>
`;
}

function laneHead({ title, legend = [] }: LaneHead): Markup {
  const keys = legend.map(({ className, text }) => {
    const swatch = markup`<svg class="key" width="14" height="10" aria-hidden="true"><rect class="${className}" width="14" height="10"/></svg>`;
    return markup`<li>${swatch}${text}</li>`;
  });
  const list = keys.length === 0 ? '' : markup`<ul class="legend">${keys}</ul>`;
  return markup`<div class="lane-head"><h4>${title}</h4>${list}</div>`;
}

function chartPlace({ chart, description }: ChartLane, run: number): Markup {
  return markup`<div class="chart ${chart}" data-chart="${chart}" data-run="${run}" role="img" aria-label="${description}"></div>
<noscript><p class="chart-words">${description}</p></noscript>`;
}

function drawing({ description, height, labels = [], plot }: Lane): Markup {
  return markup`<svg class="gutter" height="${height}" aria-hidden="true">${labels.map(gutterLabel)}</svg>
<svg class="plot" height="${height}" role="img" aria-label="${description}">${plot}</svg>`;
}

function gutterLabel({ y, text }: Label): Markup {
  return markup`<text x="100%" dx="-8" y="${y}" dy="0.35em" text-anchor="end">${text}</text>`;
}

/** Renders the reason in the middle of an empty plot. */
export function emptyNote(height: number, text: string): Markup {
  return markup`<text class="note" x="50%" y="${height / 2}" dy="0.35em" text-anchor="middle">${text}</text>`;
}

/** Stretches a drawing with its own units over the whole plot; lines keep their width. */
export function stretch(width: number, height: number, shapes: Markup | readonly Markup[]): Markup {
  return markup`<svg width="100%" height="100%" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">${shapes}</svg>`;
}

/** Returns the horizontal position of a moment between the start and the end of the run. */
export function toPercent(ms: number, endMs: number): string {
  return `${round(Math.min(100, Math.max(0, (100 * ms) / endMs)))}%`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
