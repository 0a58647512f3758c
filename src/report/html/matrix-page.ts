import type { Matrix } from '../matrix.js';
import type { problemsOf } from '../matrix-json.js';
import { type Markup, markup } from './markup.js';
import { matrixTable } from './matrix-table.js';
import { page } from './page.js';

type Problem = ReturnType<typeof problemsOf>[number];

/** The matrix of many scenarios as a page of its own. `again` is the command that draws it once more. */
export function matrixPage(matrix: Matrix, problems: readonly Problem[], again: string): string {
  const body = markup`<header><p class="product">Holdfast · survival matrix</p><h1>Which mode survives which fault</h1></header>
<main><section aria-label="Matrix">${matrixTable(matrix)}</section>
${problemsSection(problems)}
<section aria-labelledby="again"><h2 id="again">Again</h2><p><code>${again}</code></p>
<p class="meta">Each cell is one run in short form: some thirty users, shorter phases before and after the faults, and every
demand of the scenario. One scenario in full, with its timeline: <code>node dist/cli.js run scenarios/NAME.yaml</code></p></section></main>`;
  return page({ title: 'Survival matrix – Holdfast', body });
}

function problemsSection(problems: readonly Problem[]): Markup {
  if (problems.length === 0) return markup``;
  const items = problems.map(
    ({ scenario, mode, word, reasons }) =>
      markup`<li><strong>${scenario}</strong> in ${mode}: ${word}. ${reasons.join(' ')}</li>\n`,
  );
  return markup`<section aria-labelledby="problems"><h2 id="problems">Not as it should be</h2><ul>${items}</ul></section>`;
}
