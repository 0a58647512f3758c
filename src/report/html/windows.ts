import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { Span } from '../../simulator/checker/verdict/windows.js';
import { findingsWithin } from '../../simulator/checker/verdict/within.js';
import type { RunRecord } from '../../simulator/history/records.js';
import { labelRuns } from '../comparison.js';
import { count, duration, moment } from '../words.js';
import { type Markup, markup } from './markup.js';
import { scrollable } from './verdicts.js';

/** A part of a run with separate figures. */
export interface WindowPart extends Span {
  readonly name: string;
}

/**
 * Divides a run: before the first fault was requested, from there until the last fault was healed, and afterwards. It
 * leaves out warm-up and read-back, because real traffic is different. A run without faults is one part.
 */
export function partsOf({ phases, faults }: Pick<RunRecord, 'phases' | 'faults'>): readonly WindowPart[] {
  const fromMs = phases.find(({ phase }) => phase === 'warmup')?.endMs ?? 0;
  const untilMs = phases.find(({ phase }) => phase === 'readback')?.startMs ?? Number.POSITIVE_INFINITY;
  if (faults.length === 0) return [{ name: 'no fault', fromMs, untilMs }];
  const struck = Math.min(...faults.map(({ requestedMs }) => requestedMs));
  const healed = Math.max(...faults.map(({ healedMs }) => healedMs ?? untilMs));
  return [
    { name: 'before', fromMs, untilMs: struck },
    { name: 'during', fromMs: struck, untilMs: healed },
    { name: 'after', fromMs: healed, untilMs },
  ].filter(part => part.untilMs > part.fromMs);
}

const titles = ['part', 'from', 'due', 'ok', 'failed', 'unknown', 'dropped', 'p50', 'p90', 'p99', 'max'];

export function windowsSection(runs: readonly JudgedRun[]): Markup {
  const names = labelRuns(runs);
  const head = titles.map(title => markup`<th scope="col">${title}</th>`);
  const rows = runs.flatMap((judged, index) => runRows(judged, names[index] ?? ''));
  const table = markup`<table class="windows"><thead><tr><td></td>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`<section aria-labelledby="windows"><h2 id="windows">Before, during and after the faults</h2>${scrollable('Response times', table)}
<p class="meta">Requests count at the time when they were due, as in expectations with a window, and response times start then. Warm-up and read-back are left out. During: from the request of the first fault until the last one was healed.</p></section>
`;
}

function runRows(judged: JudgedRun, name: string): Markup[] {
  const parts = partsOf(judged.run);
  return parts.map((part, index) => {
    const title = index === 0 ? markup`<th scope="rowgroup" rowspan="${parts.length}">${name}</th>` : '';
    const cells = [moment(part.fromMs), ...figures(judged, part)];
    return markup`<tr>${title}<th scope="row">${part.name}</th>${cells.map(cell => markup`<td>${cell}</td>`)}</tr>`;
  });
}

function figures({ run, findings }: JudgedRun, part: WindowPart): string[] {
  const within = findingsWithin(run, findings, part);
  if (within === undefined) return titles.slice(2).map(() => '–');
  const { planned, ok, failed, unknown, dropped } = within.requests;
  const { p50, p90, p99, max } = within.latencyMs;
  return [...[planned, ok, failed, unknown, dropped].map(count), ...[p50, p90, p99, max].map(duration)];
}
