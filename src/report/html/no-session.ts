import type { JudgedRun } from '../../simulator/checker/verdict.js';
import { labels } from '../comparison.js';
import { reasonNames, reasons } from '../no-session.js';
import { count } from '../words.js';
import { type Markup, markup } from './markup.js';
import { scrollable } from './verdicts.js';

/** What the backends themselves counted: the other side of "logged out". Nothing, where no run says it. */
export function noSessionSection(runs: readonly JudgedRun[]): Markup | string {
  if (runs.every(({ findings }) => findings.noSession.absent === null)) return '';
  const seen = reasonNames.filter(reason => runs.some(({ findings }) => (findings.noSession[reason] ?? 0) > 0));
  const rows = seen.map(reason =>
    row(
      reason,
      reasons[reason],
      runs.map(({ findings }) => findings.noSession[reason]),
    ),
  );
  const evicted = runs.map(({ findings }) => findings.stores.evictions);
  if (evicted.some(times => times))
    rows.push(row('evictions', 'the store evicted sessions that no user had ended', evicted));
  const head = labels(runs).map(label => markup`<th scope="col">${label}</th>`);
  const table = markup`<table class="comparison"><thead><tr><td></td>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`<section aria-labelledby="no-session"><h2 id="no-session">Why no session</h2>${scrollable('Why requests had no session', table)}
<p class="meta">Requests, as the backends counted them since the last boot of each. Old cookies that the lab tries after each logout are among them.</p></section>
`;
}

function row(name: string, what: string, times: readonly (number | null)[]): Markup {
  const cells = times.map(value => markup`<td>${value === null ? '–' : count(value)}</td>`);
  return markup`<tr><th scope="row"><b>${name}</b> ${what}</th>${cells}</tr>`;
}
