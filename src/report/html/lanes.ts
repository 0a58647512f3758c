import type { Incident } from '../../simulator/checker/findings.js';
import type { FaultRecord } from '../../simulator/history/records.js';
import { unhealedWords } from '../judged-run.js';
import { count, countNoun, moment, roundUp, tickText, timeTicks } from '../numbers.js';
import { describeCause } from './case-file.js';
import { type Markup, markup } from './page.js';
import type { MemberLife, Timeline, TimelineOfRun } from './timeline-data.js';

/**
 * One lane of a timeline: a title with its legend, a gutter with the labels of the vertical axis, and the plot.
 * Horizontal positions are percentages of the run, and vertical ones are pixels, so the plot can have any width and its
 * text keeps its size. Style attributes are not used, because the content security policy of the page forbids them.
 */
interface Lane extends LaneHead {
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

interface Key {
  readonly className: string;
  readonly text: string;
}

interface Label {
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
function emptyNote(height: number, text: string): Markup {
  return markup`<text class="note" x="50%" y="${height / 2}" dy="0.35em" text-anchor="middle">${text}</text>`;
}

/** Stretches a drawing with its own units over the whole plot; lines keep their width. */
function stretch(width: number, height: number, shapes: Markup | readonly Markup[]): Markup {
  return markup`<svg width="100%" height="100%" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">${shapes}</svg>`;
}

/** Returns the horizontal position of a moment between the start and the end of the run. */
export function toPercent(ms: number, endMs: number): string {
  return `${round(Math.min(100, Math.max(0, (100 * ms) / endMs)))}%`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const faultHeight = 24;
const memberHeight = 18;
const gutterLengthMax = 18;

export function phasesLane({ phases, endMs }: Timeline): Lane {
  return {
    title: 'Phases',
    description: phases.map(({ phase, startMs }) => `${phase} from ${moment(startMs)}`).join(', '),
    height: 20,
    plot: phases.map(({ phase, startMs, endMs: until }) => {
      const label = markup`<text x="5" y="10" dy="0.35em">${phase}</text>`;
      return markup`<svg x="${toPercent(startMs, endMs)}" width="${toPercent(until - startMs, endMs)}" height="20"><title>${phase}, ${moment(startMs)} to ${moment(until)}</title><rect class="phase" width="100%" height="100%"/>${label}</svg>`;
    }),
  };
}

/** Draws each fault: dashed from the request to the confirmation, and filled from there until the healing. */
export function faultsLane({ faults, endMs }: Timeline): Lane {
  const height = Math.max(1, faults.length) * faultHeight;
  return {
    title: 'Faults',
    legend: [
      { className: 'requested', text: 'requested' },
      { className: 'confirmed', text: 'confirmed, until healed' },
    ],
    description: faults.length === 0 ? 'No fault was injected.' : faults.map(describeFault).join('; '),
    height,
    labels: faults.map((fault, row) => ({ y: row * faultHeight + faultHeight / 2, text: fitGutter(fault) })),
    plot:
      faults.length === 0
        ? emptyNote(height, 'no fault was injected')
        : faults.map((fault, row) => faultBar(fault, row * faultHeight, endMs)),
  };
}

/** Shortens an id that is wider than the gutter. The bar beside it names fault and target. */
function fitGutter({ id, fault }: FaultRecord): string {
  if (id.startsWith(`${fault}-`)) return fault;
  return id.length > gutterLengthMax ? `${id.slice(0, gutterLengthMax - 1)}…` : id;
}

function faultBar(fault: FaultRecord, y: number, endMs: number): Markup {
  const { requestedMs, confirmedMs, healedMs } = fault;
  const x = toPercent(requestedMs, endMs);
  const stop = healedMs ?? endMs;
  const requested = markup`<rect class="requested" x="${x}" y="${y + 3}" width="${toPercent(stop - requestedMs, endMs)}" height="${faultHeight - 6}"/>`;
  const confirmed =
    confirmedMs === null
      ? ''
      : markup`<rect class="confirmed" x="${toPercent(confirmedMs, endMs)}" y="${y + 3}" width="${toPercent(stop - confirmedMs, endMs)}" height="${faultHeight - 6}"/>`;
  // Near the right border the text ends at the start of the bar, so that it stays inside the plot.
  const late = requestedMs > endMs * 0.6;
  const words = markup`<text class="on-fault" x="${x}" dx="${late ? -6 : 6}" y="${y + faultHeight / 2}" dy="0.35em" text-anchor="${late ? 'end' : 'start'}">${labelFault(fault)}</text>`;
  return markup`<g><title>${describeFault(fault)}</title>${requested}${confirmed}${words}</g>`;
}

function labelFault({ fault, target, confirmedMs, healRequestedMs, healedMs }: FaultRecord): string {
  // The bar of a fault that was active to the end shows that by itself.
  const isUnhealed = healedMs === null && healRequestedMs !== null;
  const trouble = confirmedMs === null ? ', not confirmed' : isUnhealed ? ', not healed' : '';
  return `${fault} ${target}${trouble}`;
}

function describeFault(record: FaultRecord): string {
  const { fault, target, requestedMs, confirmedMs, healedMs, problem } = record;
  const confirmed = confirmedMs === null ? 'never confirmed' : `confirmed at ${moment(confirmedMs)}`;
  const healed = healedMs === null ? unhealedWords(record) : `healed at ${moment(healedMs)}`;
  const why = problem === undefined ? '' : ` (${problem})`;
  return `${fault} ${target}: requested at ${moment(requestedMs)}, ${confirmed}, ${healed}${why}`;
}

export function membersLane({ members, endMs }: Timeline): Lane {
  const height = Math.max(1, members.length) * memberHeight;
  return {
    title: 'Processes',
    legend: [
      { className: 'up', text: 'up' },
      { className: 'draining', text: 'draining' },
      { className: 'ejected', text: 'ejected' },
      { className: 'stopped', text: 'stopped (hangs)' },
      { className: 'dead', text: 'dead' },
    ],
    description: members.map(memberStory).join('; '),
    height,
    labels: members.map(({ name }, row) => ({ y: row * memberHeight + memberHeight / 2, text: name })),
    plot: members.flatMap((member, row) => memberBars(member, row * memberHeight + 2, endMs)),
  };
}

function memberBars({ name, spans }: MemberLife, y: number, endMs: number): Markup[] {
  return spans.map(span => {
    const { state, role, startMs, endMs: until } = span;
    const title = `${name} ${stateWords(span)} from ${moment(startMs)} to ${moment(until)}`;
    // A state other than up is also written in words, because colour alone is not enough for all readers.
    const word = state === 'up' ? (role ?? '') : stateWords(span);
    const text = markup`<text class="on-${state === 'up' ? 'up' : 'state'}" x="4" y="50%" dy="0.35em">${word}</text>`;
    return markup`<svg x="${toPercent(startMs, endMs)}" y="${y}" width="${toPercent(until - startMs, endMs)}" height="${memberHeight - 4}"><title>${title}</title><rect class="${state}" width="100%" height="100%"/>${word === '' ? '' : text}</svg>`;
  });
}

function stateWords({ state, role }: MemberLife['spans'][number]): string {
  return role === undefined ? state : `${state}, ${role}`;
}

function memberStory({ name, spans }: MemberLife): string {
  return `${name} ${spans.map(span => `${stateWords(span)} at ${moment(span.startMs)}`).join(', ')}`;
}

export function axisLane({ endMs, bucketMs, buckets }: Timeline): Lane {
  const ticks = timeTicks(endMs);
  return {
    title: 'Time since the start of the run',
    description: `${moment(endMs)} in ${countNoun(buckets.length, 'bucket')} of ${bucketMs} ms`,
    height: 20,
    plot: ticks.map((ms, index) => {
      const anchor = index === 0 ? 'start' : ms > endMs * 0.97 ? 'end' : 'middle';
      return markup`<text x="${toPercent(ms, endMs)}" y="10" dy="0.35em" text-anchor="${anchor}">${tickText(ms)}</text>`;
    }),
  };
}

const writtenY = 12;
const missingY = 60;
const emptyHeight = 26;

/** Returns the index of an incident in the tables, so that its mark opens the same story as its row. */
export type PlaceOf = (incident: Incident) => number | undefined;

/** Draws each lost write: a tick when it was acknowledged, joined to a tick when it was first missing. */
export function lossLane({ losses, acknowledged, missing, endMs }: Timeline, placeOf: PlaceOf): Lane {
  const height = losses.total === 0 ? emptyHeight : 72;
  const of = countNoun(acknowledged, 'acknowledged write');
  const unproven = missing > 0 ? `, ${count(missing)} missing` : '';
  const none = acknowledged === 0 ? 'no write was acknowledged: there was nothing to lose' : describeNone(of, missing);
  return {
    title: 'Lost writes',
    legend:
      losses.total === 0
        ? []
        : [{ className: 'loss', text: `${count(losses.total)} of ${of}${unproven}${describeOmitted(losses)}` }],
    description: losses.total === 0 ? none : `${count(losses.total)} of ${of} lost.`,
    height,
    labels:
      losses.total === 0
        ? []
        : [
            { y: writtenY, text: 'written' },
            { y: missingY, text: 'missing' },
          ],
    plot:
      losses.total === 0
        ? emptyNote(height, none)
        : losses.incidents.map(incident => lossMark(incident, endMs, placeOf)),
  };
}

function describeNone(of: string, missing: number): string {
  return missing === 0 ? `none of ${of} lost` : `none proven lost, ${count(missing)} missing`;
}

function lossMark(incident: Incident, endMs: number, placeOf: PlaceOf): Markup {
  const { user, token, sinceMs, seenMs, ackBackend = 'an unknown backend', shape } = incident;
  const since = toPercent(sinceMs, endMs);
  const seen = toPercent(seenMs, endMs);
  const kind = shape === undefined ? '' : ` (${shape})`;
  const story = `${isolateText(user)}: ${isolateText(token ?? 'a write')} acknowledged at ${moment(sinceMs)} by ${ackBackend}, missing at ${moment(seenMs)}${kind}${causeWords(incident)}`;
  const join = markup`<line class="join" x1="${since}" x2="${seen}" y1="${writtenY}" y2="${missingY}"/>`;
  const ticks = [tick(since, writtenY - 8), tick(seen, missingY)];
  return markup`<g class="loss" data-incident="${placeOf(incident) ?? ''}"><title>${story}</title>${join}${ticks}</g>`;
}

function causeWords(incident: Incident): string {
  const cause = describeCause(incident);
  if (cause === undefined) return '';
  return cause === 'unexplained' ? ', unexplained' : `, possible cause: ${cause}`;
}

const tickHeight = 8;

/** Draws a thin line with a larger transparent area around it, for fingers. */
function tick(x: string, y: number): Markup {
  return markup`<line x1="${x}" x2="${x}" y1="${y}" y2="${y + tickHeight}"/><rect class="reach" x="${x}" width="9" y="${y}" height="${tickHeight}" transform="translate(-4.5)"/>`;
}

/** Isolates the text direction in plain text: right-to-left text must not reorder its surroundings. */
function isolateText(text: string): string {
  return `\u2068${text}\u2069`;
}

/** Draws the number of users logged out so far, and a tick for each. */
export function logoutLane({ logouts, users, buckets, bucketMs, ownEndMs, endMs }: Timeline, placeOf: PlaceOf): Lane {
  const height = logouts.total === 0 ? emptyHeight : 48;
  const none = users === 0 ? 'no user was seen' : `none of ${countNoun(users, 'user')} logged out`;
  const top = roundUp(Math.max(logouts.total, 1));
  const own = buckets.slice(0, Math.ceil(ownEndMs / bucketMs));
  const rise = own.map(({ loggedOutSoFar }, index) => `V${top - loggedOutSoFar}H${index + 1}`).join('');
  const ticks = logouts.incidents.map(incident => logoutMark(incident, height, endMs, placeOf));
  return {
    title: 'Users logged out so far',
    legend:
      logouts.total === 0
        ? []
        : [
            {
              className: 'logouts',
              text: `${count(logouts.total)} of ${countNoun(users, 'user')}${describeOmitted(logouts)}`,
            },
          ],
    description: logouts.total === 0 ? none : `${count(logouts.total)} of ${countNoun(users, 'user')} logged out.`,
    height,
    labels:
      logouts.total === 0
        ? []
        : [
            { y: 0, text: count(top) },
            { y: height, text: '0' },
          ],
    plot:
      logouts.total === 0
        ? emptyNote(height, none)
        : [stretch(buckets.length, top, markup`<path class="logouts" d="M0,${top}${rise}V${top}Z"/>`), ...ticks],
  };
}

function logoutMark(incident: Incident, height: number, endMs: number, placeOf: PlaceOf): Markup {
  const { user, seenMs, loggedOut = 'hard' } = incident;
  const story = `${isolateText(user)}: logged out at ${moment(seenMs)} (${loggedOut})${causeWords(incident)}`;
  const mark = tick(toPercent(seenMs, endMs), height - tickHeight - 1);
  return markup`<g class="logout" data-incident="${placeOf(incident) ?? ''}"><title>${story}</title>${mark}</g>`;
}

/** Returns a note when the drawing leaves out some incidents. */
function describeOmitted({ incidents, total }: TimelineOfRun): string {
  return incidents.length < total ? `, ${count(incidents.length)} of them drawn` : '';
}
