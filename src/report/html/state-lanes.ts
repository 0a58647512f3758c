import type { FaultRecord } from '../../simulator/history/records.js';
import { tickText, timeTicks } from '../browser/scales.js';
import { unhealedWords } from '../recovery-words.js';
import { countNoun, moment } from '../words.js';
import { emptyNote, type Lane, toPercent } from './lane.js';
import { type Markup, markup } from './markup.js';
import type { MemberLife, Timeline } from './timeline-data.js';

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
    description: faults.length === 0 ? 'No fault was injected.' : faults.map(story).join('; '),
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
  const words = markup`<text class="on-fault" x="${x}" dx="${late ? -6 : 6}" y="${y + faultHeight / 2}" dy="0.35em" text-anchor="${late ? 'end' : 'start'}">${brief(fault)}</text>`;
  return markup`<g><title>${story(fault)}</title>${requested}${confirmed}${words}</g>`;
}

function brief({ fault, target, confirmedMs, healRequestedMs, healedMs }: FaultRecord): string {
  // The bar of a fault that was active to the end shows that by itself.
  const isUnhealed = healedMs === null && healRequestedMs !== null;
  const trouble = confirmedMs === null ? ', not confirmed' : isUnhealed ? ', not healed' : '';
  return `${fault} ${target}${trouble}`;
}

function story(record: FaultRecord): string {
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
    plot: members.flatMap((member, row) => strip(member, row * memberHeight + 2, endMs)),
  };
}

function strip({ name, spans }: MemberLife, y: number, endMs: number): Markup[] {
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
