import type { JudgedRun } from '../../simulator/checker/verdict.js';
import type { FaultRecord, RunRecord } from '../../simulator/history/records.js';
import { labels } from '../comparison.js';
import { moment } from '../words.js';
import { type Markup, markup } from './markup.js';
import { scrollable } from './verdicts.js';

/** What was broken, when, and what was seen of it: without the timeline, and with the evidence. */
export function faultsTable(runs: readonly JudgedRun[]): Markup {
  const names = labels(runs);
  const rows = runs.flatMap(({ run }, index) => [
    ...run.faults.map(fault => row(names[index] ?? '', fault)),
    ...neverStruck(names[index] ?? '', run),
  ]);
  if (rows.length === 0) return markup`<p>No fault was injected.</p>`;
  const titles = ['mode', 'fault', 'what', 'target', 'requested', 'confirmed', 'healed', 'evidence'];
  const head = titles.map(title => markup`<th scope="col">${title}</th>`);
  const table = markup`<table class="faults"><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return scrollable('Faults', table);
}

function row(name: string, { id, fault, target, requestedMs, confirmedMs, healedMs, ...more }: FaultRecord): Markup {
  const seen = [more.evidence, more.problem].filter(text => text !== undefined).join('; ');
  const cells = [
    name,
    id,
    fault,
    target,
    moment(requestedMs),
    confirmedMs === null ? 'never' : moment(confirmedMs),
    healedMs === null ? 'no' : moment(healedMs),
    seen || '–',
  ];
  return markup`<tr>${cells.map(cell => markup`<td>${cell}</td>`)}</tr>`;
}

/** Planned, and nothing broke: that must not be missing from the list of what was broken. */
function neverStruck(name: string, { header, faults, lab }: RunRecord): Markup[] {
  const missing = header.faults.filter(planned => faults.every(({ id }) => id !== planned));
  return missing.map(
    id =>
      markup`<tr><td>${name}</td><td>${id}</td><td colspan="6">never struck: ${lab.neverStruck?.[id] ?? 'the run ended before'}</td></tr>`,
  );
}
