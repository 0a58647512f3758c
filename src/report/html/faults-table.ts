import type { EffectSeen, FaultFinding } from '../../simulator/checker/findings.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { FaultRecord, RunRecord } from '../../simulator/history/records.js';
import { labelRuns } from '../comparison.js';
import { memberNames, troublesOf } from '../judged-expectations.js';
import { recoveryFigure, unhealedWords } from '../recovery-words.js';
import { count, moment } from '../words.js';
import { type Markup, markup } from './markup.js';
import { scrollable } from './verdicts.js';

const titles = ['mode', 'fault', 'when', 'confirmed by', 'effect on users', 'exposed users', 'recovery'];

/** Renders each fault: its times, what confirmed it, and its effect on users. */
export function faultsTable(runs: readonly JudgedRun[]): Markup {
  const names = labelRuns(runs);
  const rows = runs.flatMap(({ run, findings }, index) => [
    ...run.faults.map(fault => row(names[index] ?? '', fault, findings.faults)),
    ...neverStruck(names[index] ?? '', run),
  ]);
  if (rows.length === 0) return markup`<p>No fault was injected.</p>`;
  const head = titles.map(title => markup`<th scope="col">${title}</th>`);
  const table = markup`<table class="faults"><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`${scrollable('Faults', table)}
<p class="meta">Exposed users: users who were bound to the target of the fault, or last answered by it, at that moment. Recovery: time from the healing until errors, response times and logouts are as before the faults.</p>`;
}

function row(name: string, fault: FaultRecord, findings: readonly FaultFinding[]): Markup {
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
      markup`<tr><td>${name}</td><td>${id}</td><td colspan="${titles.length - 2}">never struck: ${lab.neverStruck?.[id] ?? 'the run ended before'}</td></tr>`,
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
