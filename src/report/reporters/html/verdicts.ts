import { type JudgedRun, type VerdictWord, warningsOf } from '../../../simulator/verdict.js';
import { compare, labels } from '../../comparison.js';
import { sentence } from '../../sentence.js';
import { type Markup, markup } from './markup.js';

const signs: Record<VerdictWord, string> = { pass: '✓', fail: '✗', inconclusive: '?' };

export function badge(word: VerdictWord): Markup {
  return markup`<span class="badge ${word}"><span aria-hidden="true">${signs[word]}</span> ${word}</span>`;
}

/** What happened, one sentence per mode, with the reasons wherever it is not a pass, and with the warnings. */
export function verdictSection(runs: readonly JudgedRun[]): Markup {
  const items = runs.map(judged => {
    const { word, reasons } = judged.verdict;
    const lines = [...reasons, ...warningsOf(judged.verdict).map(warning => `Warning: ${warning}`)];
    const because =
      lines.length === 0 ? '' : markup`<ul class="reasons">${lines.map(line => markup`<li>${line}</li>`)}</ul>`;
    return markup`<li>${badge(word)}<div><p>${sentence(judged).replace(/ — \w+$/, '.')}</p>${because}</div></li>`;
  });
  return markup`<section aria-labelledby="verdicts"><h2 id="verdicts">What happened</h2><ul class="verdicts">${items}</ul>
<p class="meta">pass: all went as the scenario expects, and it may expect losses. inconclusive: too little was seen to say either.</p></section>
`;
}

export function comparisonSection(runs: readonly JudgedRun[]): Markup {
  const { columns, rows } = compare(runs);
  const head = columns.map((column, index) => markup`<th scope="col"><a href="#run-${index + 1}">${column}</a></th>`);
  const body = rows.map(
    ({ label, cells }) =>
      markup`<tr><th scope="row">${label}</th>${cells.map(({ text, tone }) => markup`<td class="${tone}">${text}</td>`)}</tr>`,
  );
  const table = markup`<table class="comparison"><thead><tr><td></td>${head}</tr></thead><tbody>${body}</tbody></table>`;
  return markup`<section aria-labelledby="comparison"><h2 id="comparison">Side by side</h2>${scrollable('Comparison of the modes', table)}</section>
`;
}

export function expectationsTable({ verdict }: JudgedRun): Markup {
  if (verdict.expectations.length === 0) return markup`<p>The scenario expects nothing of this mode.</p>`;
  const rows = verdict.expectations.map(
    ({ text, level, met, actual }) =>
      markup`<tr>${resultCell(met, level)}<td><code>${text}</code></td><td>${actual}</td></tr>`,
  );
  const head = markup`<tr><th scope="col">result</th><th scope="col">expected</th><th scope="col">measured</th></tr>`;
  return scrollable('Expectations', markup`<table><thead>${head}</thead><tbody>${rows}</tbody></table>`);
}

function resultCell(met: boolean, level: 'warn' | undefined): Markup {
  if (met) return markup`<td class="pass">✓ met</td>`;
  return level === 'warn' ? markup`<td class="inconclusive">! warning</td>` : markup`<td class="fail">✗ not met</td>`;
}

/** A wide table scrolls by itself, by keyboard too, and the page does not. */
export function scrollable(name: string, table: Markup): Markup {
  return markup`<div class="scroll" role="region" aria-label="${name}" tabindex="0">${table}</div>`;
}

/** The section of one mode begins with this. */
export function modeHeading(runs: readonly JudgedRun[], index: number): Markup {
  const judged = runs[index];
  const name = labels(runs)[index] ?? '';
  return markup`<h2 id="run-${index + 1}">${name} ${judged === undefined ? '' : badge(judged.verdict.word)}</h2>`;
}
