import type { Incident, IncidentKind } from '../../../simulator/checker/findings.js';
import type { JudgedRun } from '../../../simulator/verdict.js';
import { count, counted, moment } from '../../words.js';
import { type Markup, markup } from './markup.js';
import { scrollable } from './verdicts.js';

const listedMax = 100;

/** The worst first: a hundred lost writes must not hide the one user who saw a stranger's cart. */
const order: readonly IncidentKind[] = [
  'identity-swapped',
  'phantom',
  'logout-not-honoured',
  'logged-out',
  'resurrected',
  'duplicated',
  'failed-visible',
  'lost',
  'stale',
];

/** What went wrong, one line each: the first hundred, and how many there are. */
export function incidentsList({ findings: { incidents } }: JudgedRun): Markup {
  if (incidents.length === 0) return markup`<p>Nothing that a user could call wrong was found.</p>`;
  const listed = [...incidents].sort(worstFirst).slice(0, listedMax);
  const rest = incidents.length - listed.length;
  const more = rest === 0 ? '' : markup`<p>${count(rest)} more are in the JSON report and in the history.</p>`;
  const titles = ['what', 'user', 'item', 'acknowledged', 'by', 'seen', 'from', 'shape', 'fault'];
  const head = titles.map(title => markup`<th scope="col">${title}</th>`);
  const table = markup`<table class="incidents"><thead><tr>${head}</tr></thead><tbody>${listed.map(row)}</tbody></table>`;
  return markup`<details><summary>${counted(incidents.length, 'incident')}, one by one</summary>${scrollable('Incidents', table)}${more}</details>`;
}

function worstFirst(a: Incident, b: Incident): number {
  return order.indexOf(a.kind) - order.indexOf(b.kind) || a.seenMs - b.seenMs;
}

function row(incident: Incident): Markup {
  const { kind, user, token, sinceMs, ackBackend, seenMs, seenBackend, shape, loggedOut, fault } = incident;
  const cells = [
    kind,
    user,
    token,
    moment(sinceMs),
    ackBackend,
    moment(seenMs),
    seenBackend,
    shape ?? loggedOut,
    fault,
  ];
  return markup`<tr>${cells.map(cell => markup`<td>${cell ?? '–'}</td>`)}</tr>`;
}
