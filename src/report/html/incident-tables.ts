import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { CaseFile } from '../browser/columns.js';
import { incidentCells, incidentTitles } from '../browser/columns.js';
import { labelRuns } from '../comparison.js';
import { isExpectedLoss } from '../judged-expectations.js';
import { reasonNames, reasons } from '../sentence.js';
import { count, countNoun } from '../words.js';
import type { Cases } from './case-file.js';
import { embeddedJson, type Markup, markup } from './markup.js';
import { scrollable } from './verdicts.js';

/** Number of rows of each table in the page; the script adds the others. */
const shownMax = 50;

/** Renders the lost writes and the other incidents of one run, with the stories behind the rows. */
export function incidentsPart(judged: JudgedRun, { file, untold }: Cases, run: number, name: string): Markup {
  const limit =
    untold === 0
      ? ''
      : markup`<p class="meta">The stories of ${countNoun(untold, 'user')} are left out to keep this file small; the history file holds them.</p>`;
  return markup`<section data-cases="${run}"><h3>${name}</h3>
${file.incidents.user.length === 0 ? nothing(judged) : markup`${losses(judged, file, name)}${others(file, name)}`}${limit}
<script type="application/json" id="cases-${run}">${embeddedJson(file)}</script></section>
`;
}

function nothing({ run, findings: { writes } }: JudgedRun): Markup {
  const { acknowledged, unverified } = writes;
  if (acknowledged === 0) return markup`<p>No write was acknowledged: there was nothing to lose.</p>`;
  const doubt = unverified === 0 || run.header.live ? '' : ` But no later read verified ${count(unverified)} of them.`;
  return markup`<p>None of ${countNoun(acknowledged, 'acknowledged write')} was lost, and nothing else that a user could call wrong was found.${doubt}${describeMissingWrites(writes)}</p>`;
}

function losses(judged: JudgedRun, file: CaseFile, name: string): Markup {
  const { writes } = judged.findings;
  const { lostFrom, user } = file.incidents;
  const of = countNoun(writes.acknowledged, 'acknowledged write');
  if (user.length === lostFrom) return markup`<p>None of ${of} was lost.${describeMissingWrites(writes)}</p>`;
  const expected = isExpectedLoss(judged, 'writes') ? ', as expected' : '';
  const blamed = writes.unexplained === 0 ? '' : `; no fault explains ${count(writes.unexplained)} of them`;
  return markup`<p>${count(writes.lost)} of ${of} lost${expected}${blamed}.${describeMissingWrites(writes)}</p>${table(file, lostFrom, user.length, `Lost writes, ${name}`)}`;
}

function describeMissingWrites({ missing, lost }: JudgedRun['findings']['writes']): string {
  if (missing === lost) return '';
  return ` The last answer missed ${count(missing - lost)} more: they are not proven lost, because no answer came after the last healing.`;
}

function others(file: CaseFile, name: string): Markup {
  const { lostFrom } = file.incidents;
  if (lostFrom === 0) return markup`<p>Nothing else that a user could call wrong was found.</p>`;
  return markup`<p>What else went wrong: ${countNoun(lostFrom, 'incident')}, the worst first.</p>${table(file, 0, lostFrom, `Incidents, ${name}`)}`;
}

/** Renders the rows `from` to `to` of all incidents. Only a table of several kinds has a column for the kind. */
function table(file: CaseFile, from: number, to: number, title: string): Markup {
  const withKind = from === 0 && file.incidents.lostFrom > 0;
  const skipped = withKind ? 0 : 1;
  const shown = Math.min(to, from + shownMax);
  const head = incidentTitles.slice(skipped).map(name => markup`<th scope="col">${name}</th>`);
  const rows = Array.from({ length: shown - from }, (_, index) => row(file, from + index, skipped));
  const rest = to - shown;
  const more = rest === 0 ? '' : markup`<p class="meta">and ${count(rest)} more</p>`;
  const whole = markup`<table class="incidents" data-next="${shown}" data-end="${to}" data-with-kind="${withKind ? 'yes' : 'no'}"><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`${scrollable(title, whole)}${more}`;
}

function row(file: CaseFile, incident: number, skipped: number): Markup {
  const cells = incidentCells(file, incident).slice(skipped);
  return markup`<tr data-incident="${incident}">${cells.map(cell => markup`<td><bdi>${cell}</bdi></td>`)}</tr>`;
}

/** Renders why requests had no session, as the backends counted it. Renders nothing when no run has these counts. */
export function noSessionSection(runs: readonly JudgedRun[]): Markup | string {
  if (runs.every(({ findings }) => findings.noSession.absent === null)) return '';
  const seen = reasonNames.filter(reason => runs.some(({ findings }) => (findings.noSession[reason] ?? 0) > 0));
  const rows = seen.map(reason =>
    reasonRow(
      reason,
      reasons[reason],
      runs.map(({ findings }) => findings.noSession[reason]),
    ),
  );
  const evicted = runs.map(({ findings }) => findings.stores.evictions);
  if (evicted.some(times => times))
    rows.push(reasonRow('evictions', 'the store evicted sessions that no user had ended', evicted));
  const head = labelRuns(runs).map(label => markup`<th scope="col">${label}</th>`);
  const table = markup`<table class="comparison"><thead><tr><td></td>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`<section aria-labelledby="no-session"><h2 id="no-session">Why no session</h2>${scrollable('Why requests had no session', table)}
<p class="meta">Number of requests, counted by each backend since its last start. They include old cookies that the lab tries after each logout.</p></section>
`;
}

function reasonRow(name: string, what: string, times: readonly (number | null)[]): Markup {
  const cells = times.map(value => markup`<td>${value === null ? '–' : count(value)}</td>`);
  return markup`<tr><th scope="row"><b>${name}</b> ${what}</th>${cells}</tr>`;
}
