import type { Incident } from '../../../simulator/checker/findings.js';
import { count, counted, moment } from '../../words.js';
import { across, emptyNote, type Lane, stretched } from './lane.js';
import { type Markup, markup } from './markup.js';
import { roundUp } from './scale.js';
import type { Drawn, Timeline } from './timeline-data.js';

const writtenY = 12;
const missingY = 60;

/** Each lost write: a tick where it was acknowledged, joined to a tick where its user first missed it. */
export function lossLane({ losses, acknowledged, endMs }: Timeline): Lane {
  const height = 72;
  const of = counted(acknowledged, 'acknowledged write');
  const none = acknowledged === 0 ? 'no write was acknowledged: there was nothing to lose' : `none of ${of} lost`;
  return {
    title: 'Lost writes',
    legend: losses.total === 0 ? [] : [{ className: 'loss', text: `${count(losses.total)} of ${of}${partly(losses)}` }],
    description: losses.total === 0 ? none : `${count(losses.total)} of ${of} lost.`,
    height,
    labels:
      losses.total === 0
        ? []
        : [
            { y: writtenY, text: 'written' },
            { y: missingY, text: 'missing' },
          ],
    plot: losses.total === 0 ? emptyNote(height, none) : losses.incidents.map(incident => lossMark(incident, endMs)),
  };
}

function lossMark(incident: Incident, endMs: number): Markup {
  const { user, token, sinceMs, seenMs, ackBackend = 'an unknown backend', shape } = incident;
  const since = across(sinceMs, endMs);
  const seen = across(seenMs, endMs);
  const kind = shape === undefined ? '' : ` (${shape})`;
  const story = `${user}: ${token ?? 'a write'} acknowledged at ${moment(sinceMs)} by ${ackBackend}, missing at ${moment(seenMs)}${kind}`;
  return markup`<g class="loss"><title>${story}</title><line x1="${since}" x2="${since}" y1="${writtenY - 8}" y2="${writtenY}"/><line class="join" x1="${since}" x2="${seen}" y1="${writtenY}" y2="${missingY}"/><line x1="${seen}" x2="${seen}" y1="${missingY}" y2="${missingY + 8}"/></g>`;
}

/** How many users had been logged out by then, and a tick for each. */
export function logoutLane({ logouts, users, buckets, endMs }: Timeline): Lane {
  const height = 48;
  const none = users === 0 ? 'no user was seen' : `none of ${counted(users, 'user')} logged out`;
  const top = roundUp(Math.max(logouts.total, 1));
  const rise = buckets.map(({ loggedOutSoFar }, index) => `V${top - loggedOutSoFar}H${index + 1}`).join('');
  const ticks = logouts.incidents.map(incident => logoutMark(incident, height, endMs));
  return {
    title: 'Users logged out so far',
    legend:
      logouts.total === 0
        ? []
        : [{ className: 'logouts', text: `${count(logouts.total)} of ${counted(users, 'user')}${partly(logouts)}` }],
    description: logouts.total === 0 ? none : `${count(logouts.total)} of ${counted(users, 'user')} logged out.`,
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
        : [stretched(buckets.length, top, markup`<path class="logouts" d="M0,${top}${rise}V${top}Z"/>`), ...ticks],
  };
}

function logoutMark({ user, seenMs, loggedOut = 'hard' }: Incident, height: number, endMs: number): Markup {
  const x = across(seenMs, endMs);
  return markup`<line class="logout" x1="${x}" x2="${x}" y1="${height - 10}" y2="${height}"><title>${user}: logged out at ${moment(seenMs)} (${loggedOut})</title></line>`;
}

/** A drawing that leaves some out says so. */
function partly({ incidents, total }: Drawn): string {
  return incidents.length < total ? `, ${count(incidents.length)} of them drawn` : '';
}
