import { programName } from '../../shared/package.js';
import type { EffectSeen, FaultFinding } from '../../simulator/checker/findings.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { FaultRecord, RunRecord } from '../../simulator/history/records.js';
import { type CaseFile, incidentCells, incidentTitles } from '../browser/columns.js';
import { labelRuns } from '../comparison.js';
import { isExpectedLoss, memberNames, recoveryFigure, troublesOf, unhealedWords } from '../judged-run.js';
import {
  cellWords,
  failedWords,
  type Matrix,
  type MatrixCell,
  type MatrixRow,
  matrixLegend,
  type problemsOf,
  recoveryWords,
} from '../matrix.js';
import { count, countNoun, moment } from '../numbers.js';
import { reasonNames, reasons } from '../sentence.js';
import type { Cases } from './case-file.js';
import { embeddedJson, type Markup, markup, page, scrollable } from './page.js';

const faultTitles = ['mode', 'fault', 'when', 'confirmed by', 'effect on users', 'exposed users', 'recovery'];

/** Renders each fault: its times, what confirmed it, and its effect on users. */
export function faultsTable(runs: readonly JudgedRun[]): Markup {
  const names = labelRuns(runs);
  const rows = runs.flatMap(({ run, findings }, index) => [
    ...run.faults.map(fault => faultRow(names[index] ?? '', fault, findings.faults)),
    ...neverStruck(names[index] ?? '', run),
  ]);
  if (rows.length === 0) return markup`<p>No fault was injected.</p>`;
  const head = faultTitles.map(title => markup`<th scope="col">${title}</th>`);
  const table = markup`<table class="faults"><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`${scrollable('Faults', table)}
<p class="meta">Exposed users: users who were bound to the target of the fault, or last answered by it, at that moment. Recovery: time from the healing until errors, response times and logouts are as before the faults.</p>`;
}

function faultRow(name: string, fault: FaultRecord, findings: readonly FaultFinding[]): Markup {
  const finding = findings.find(({ id }) => id === fault.id);
  const cells = [
    name,
    markup`<b>${fault.id}</b><br>${fault.fault} ${fault.target}`,
    describeTimes(fault),
    describeEvidence(fault),
    describeEffect(fault, finding?.effect ?? null),
    finding === undefined ? '–' : count(finding.exposed),
    finding === undefined ? '–' : recoveryFigure(finding),
  ];
  return markup`<tr>${cells.map(cell => markup`<td>${cell}</td>`)}</tr>`;
}

function describeTimes(fault: FaultRecord): Markup {
  const { requestedMs, confirmedMs, healedMs } = fault;
  const confirmed = confirmedMs === null ? 'never confirmed' : `confirmed ${moment(confirmedMs)}`;
  const healed = healedMs === null ? unhealedWords(fault) : `healed ${moment(healedMs)}`;
  return markup`requested ${moment(requestedMs)}<br>${confirmed}<br>${healed}`;
}

function describeEvidence({ evidence, problem, confirmedMs }: FaultRecord): string {
  const seen = [evidence, problem].filter(text => text !== undefined && text !== '').join('; ');
  if (seen !== '') return seen;
  return confirmedMs === null ? 'nothing: it was never confirmed' : 'confirmed; this fault gives no evidence as text';
}

function describeEffect({ confirmedMs, expects }: FaultRecord, effect: EffectSeen | null): Markup | string {
  if (confirmedMs === null) return 'not looked for: the fault was never confirmed';
  if (effect === null) return expects === undefined ? 'the history does not say which effect to expect' : 'not known';
  const [className, word] = effect.seen > 0 ? ['pass', '✓ seen'] : ['inconclusive', '? not seen'];
  return markup`<b class="${className}">${word}</b>: ${effect.text}`;
}

/** Renders the planned faults that never struck. They must not be missing from the table. */
function neverStruck(name: string, { header, faults, lab }: RunRecord): Markup[] {
  const missing = header.faults.filter(planned => faults.every(({ id }) => id !== planned));
  return missing.map(
    id =>
      markup`<tr><td>${name}</td><td>${id}</td><td colspan="${faultTitles.length - 2}">never struck: ${lab.neverStruck?.[id] ?? 'the run ended before'}</td></tr>`,
  );
}

/** Renders the number of good answers of each backend (and of each proxy if there are several), and their troubles. */
export function membersSection(runs: readonly JudgedRun[]): Markup | string {
  const names = [...new Set(runs.flatMap(({ findings }) => memberNames(findings.members)))];
  if (names.length === 0) return '';
  const head = labelRuns(runs).map(label => markup`<th scope="col">${label}</th>`);
  const rows = names.map(
    name => markup`<tr><th scope="row">${name}</th>${runs.map(judged => memberCell(judged, name))}</tr>`,
  );
  const table = markup`<table class="comparison"><thead><tr><td></td>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`<section aria-labelledby="members"><h2 id="members">Answers by member</h2>${scrollable('Answers by member', table)}
<p class="meta">Number of good answers to users. Ejected: the process runs, but the proxy sends it no requests. Idle: it answered no user after the healing, although users without a backend arrived.</p></section>
`;
}

function memberCell({ findings: { members } }: JudgedRun, name: string): Markup {
  const answered = members.answered[name];
  const tone = members.notBack.includes(name) ? 'fail' : 'inconclusive';
  const troubles = troublesOf(members, name).map(trouble => markup`<br><b class="${tone}">${trouble}</b>`);
  return markup`<td>${answered === undefined ? '–' : count(answered)}${troubles}</td>`;
}

/** Number of rows of each table in the page; the script adds the others. */
const shownMax = 50;

/** Renders the lost writes and the other incidents of one run, with the stories behind the rows. */
export function incidentsPart(judged: JudgedRun, { file, untold }: Cases, run: number, name: string): Markup {
  const limit =
    untold === 0
      ? ''
      : markup`<p class="meta">The stories of ${countNoun(untold, 'user')} are left out to keep this file small; the history file holds them.</p>`;
  return markup`<section data-cases="${run}"><h3>${name}</h3>
${file.incidents.user.length === 0 ? noIncidents(judged) : markup`${lostWrites(judged, file, name)}${otherIncidents(file, name)}`}${limit}
<script type="application/json" id="cases-${run}">${embeddedJson(file)}</script></section>
`;
}

function noIncidents({ run, findings: { writes } }: JudgedRun): Markup {
  const { acknowledged, unverified } = writes;
  if (acknowledged === 0) return markup`<p>No write was acknowledged: there was nothing to lose.</p>`;
  const doubt = unverified === 0 || run.header.live ? '' : ` But no later read verified ${count(unverified)} of them.`;
  return markup`<p>None of ${countNoun(acknowledged, 'acknowledged write')} was lost, and nothing else that a user could call wrong was found.${doubt}${describeMissingWrites(writes)}</p>`;
}

function lostWrites(judged: JudgedRun, file: CaseFile, name: string): Markup {
  const { writes } = judged.findings;
  const { lostFrom, user } = file.incidents;
  const of = countNoun(writes.acknowledged, 'acknowledged write');
  if (user.length === lostFrom) return markup`<p>None of ${of} was lost.${describeMissingWrites(writes)}</p>`;
  const expected = isExpectedLoss(judged, 'writes') ? ', as expected' : '';
  const blamed = writes.unexplained === 0 ? '' : `; no fault explains ${count(writes.unexplained)} of them`;
  return markup`<p>${count(writes.lost)} of ${of} lost${expected}${blamed}.${describeMissingWrites(writes)}</p>${incidentTable(file, lostFrom, user.length, `Lost writes, ${name}`)}`;
}

function describeMissingWrites({ missing, lost }: JudgedRun['findings']['writes']): string {
  if (missing === lost) return '';
  return ` The last answer missed ${count(missing - lost)} more: they are not proven lost, because no answer came after the last healing.`;
}

function otherIncidents(file: CaseFile, name: string): Markup {
  const { lostFrom } = file.incidents;
  if (lostFrom === 0) return markup`<p>Nothing else that a user could call wrong was found.</p>`;
  return markup`<p>What else went wrong: ${countNoun(lostFrom, 'incident')}, the worst first.</p>${incidentTable(file, 0, lostFrom, `Incidents, ${name}`)}`;
}

/** Renders the rows `from` to `to` of all incidents. Only a table of several kinds has a column for the kind. */
function incidentTable(file: CaseFile, from: number, to: number, title: string): Markup {
  const withKind = from === 0 && file.incidents.lostFrom > 0;
  const skipped = withKind ? 0 : 1;
  const shown = Math.min(to, from + shownMax);
  const head = incidentTitles.slice(skipped).map(name => markup`<th scope="col">${name}</th>`);
  const rows = Array.from({ length: shown - from }, (_, index) => incidentRow(file, from + index, skipped));
  const rest = to - shown;
  const more = rest === 0 ? '' : markup`<p class="meta">and ${count(rest)} more</p>`;
  const whole = markup`<table class="incidents" data-next="${shown}" data-end="${to}" data-with-kind="${withKind ? 'yes' : 'no'}"><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`${scrollable(title, whole)}${more}`;
}

function incidentRow(file: CaseFile, incident: number, skipped: number): Markup {
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
  const cutOff = runs.map(({ findings }) => findings.backends.cutOff);
  if (cutOff.some(times => times))
    rows.push(reasonRow('cut off', 'served although the list of ended sessions was too old to be sure', cutOff));
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

/**
 * Renders the survival matrix, mode × fault. `linkOf` returns the link target of a column by its index in `columns`.
 */
export function matrixTable({ columns, rows }: Matrix, linkOf?: (column: number) => string): Markup {
  const head = columns.map((column, index) => markup`<th scope="col">${linkTo(column, linkOf?.(index))}</th>`);
  const body = rows.map(matrixRow);
  const table = markup`<table class="matrix"><thead><tr><td></td>${head}</tr></thead><tbody>${body}</tbody></table>`;
  return markup`${scrollable('Survival matrix, mode × fault', table)}${legendOfMatrix()}`;
}

function matrixRow({ scenario, cells }: MatrixRow): Markup {
  return markup`<tr><th scope="row">${scenario}</th>${cells.map(matrixCell)}</tr>`;
}

function matrixCell(cell: MatrixCell): Markup {
  const { mark, words, tone } = cellWords(cell);
  const head = markup`<b class="${tone}"><span aria-hidden="true">${mark}</span> ${words}</b>`;
  if (cell.word === null) {
    const why = cell.why === undefined ? '' : markup` title="${cell.why}"`;
    return markup`<td class="not-run"${why}>${head}</td>`;
  }
  const figures = [
    `${count(cell.loggedOut)} of ${count(cell.users)} logged out`,
    `${count(cell.writesLost)} of ${count(cell.acknowledged)} lost`,
    failedWords(cell),
    recoveryWords(cell),
  ];
  return markup`<td class="cell-${tone}">${head}${figures.map(figure => markup`<span>${figure}</span>`)}</td>`;
}

function linkTo(text: string, address: string | undefined): Markup {
  return address === undefined ? markup`${text}` : markup`<a href="${address}">${text}</a>`;
}

function legendOfMatrix(): Markup {
  const meanings = matrixLegend.map(({ mark, words }) => `${mark} ${words}`).join(' · ');
  return markup`<p class="meta">In each cell: users logged out, acknowledged writes lost, requests failed, recovery. ${meanings}.</p>`;
}

type Problem = ReturnType<typeof problemsOf>[number];

/** Renders the matrix of many scenarios as a separate page. `again` is the command that draws it again.
 * `proxy` is the external proxy. */
export function matrixPage(matrix: Matrix, problems: readonly Problem[], again: string, proxy?: string): string {
  const title = `Which mode survives which fault${proxy === undefined ? '' : ` with ${proxy}`}`;
  const body = markup`<header><p class="product">Holdfast · survival matrix</p><h1>${title}</h1></header>
<main><section aria-label="Matrix">${matrixTable(matrix)}</section>
${problemsSection(problems)}
<section aria-labelledby="again"><h2 id="again">Again</h2><p><code>${again}</code></p>
<p class="meta">Each cell is one run in short form: some thirty users, shorter phases before and after the faults, and every
expectation of the scenario. One scenario in full, with its timeline: <code>${programName()} run NAME</code></p></section></main>`;
  return page({ title: 'Survival matrix – Holdfast', body });
}

function problemsSection(problems: readonly Problem[]): Markup {
  if (problems.length === 0) return markup``;
  const items = problems.map(
    ({ scenario, mode, word, reasons }) =>
      markup`<li><strong>${scenario}</strong> in ${mode}: ${word}. ${reasons.join(' ')}</li>\n`,
  );
  return markup`<section aria-labelledby="problems"><h2 id="problems">Runs that did not pass</h2><ul>${items}</ul></section>`;
}
