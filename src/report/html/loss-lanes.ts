import type { Incident } from '../../simulator/checker/findings.js';
import { roundUp } from '../browser/scales.js';
import { count, countNoun, moment } from '../words.js';
import { emptyNote, type Lane, stretch, toPercent } from './lane.js';
import { type Markup, markup } from './markup.js';
import type { Timeline, TimelineOfRun } from './timeline-data.js';

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

/**
 * Returns the faults that may have caused an incident: `cut, kill`, or `unexplained`. Undefined when no fault struck.
 */
export function describeCause({ candidates, fault }: Incident): string | undefined {
  if (candidates === undefined) return fault;
  return candidates.length === 0 ? 'unexplained' : candidates.join(', ');
}
