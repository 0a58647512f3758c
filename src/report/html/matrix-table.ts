import { programName } from '../../shared/program-name.js';
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
import { count } from '../words.js';
import { type Markup, markup } from './markup.js';
import { page } from './page.js';
import { scrollable } from './verdicts.js';

/**
 * Renders the survival matrix, mode × fault. `linkOf` returns the link target of a column by its index in `columns`.
 */
export function matrixTable({ columns, rows }: Matrix, linkOf?: (column: number) => string): Markup {
  const head = columns.map((column, index) => markup`<th scope="col">${linkTo(column, linkOf?.(index))}</th>`);
  const body = rows.map(matrixRow);
  const table = markup`<table class="matrix"><thead><tr><td></td>${head}</tr></thead><tbody>${body}</tbody></table>`;
  return markup`${scrollable('Survival matrix, mode × fault', table)}${legend()}`;
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

function legend(): Markup {
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
