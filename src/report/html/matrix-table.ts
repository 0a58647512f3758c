import type { Matrix, MatrixCell, MatrixRow } from '../matrix.js';
import { cellWords, failedWords, matrixLegend, recoveryWords } from '../matrix-words.js';
import { count } from '../words.js';
import { type Markup, markup } from './markup.js';
import { scrollable } from './verdicts.js';

/** Where the heads of the table lead to, if anywhere: `column` is a place in `columns`. */
export interface MatrixLinks {
  readonly ofColumn?: (column: number) => string;
  readonly ofScenario?: (scenario: string) => string | undefined;
}

/** The survival matrix, mode × fault. */
export function matrixTable({ columns, rows }: Matrix, links: MatrixLinks = {}): Markup {
  const head = columns.map((column, index) => markup`<th scope="col">${linked(column, links.ofColumn?.(index))}</th>`);
  const body = rows.map(row => matrixRow(row, links));
  const table = markup`<table class="matrix"><thead><tr><td></td>${head}</tr></thead><tbody>${body}</tbody></table>`;
  return markup`${scrollable('Survival matrix, mode × fault', table)}${legend()}`;
}

function matrixRow({ scenario, cells }: MatrixRow, { ofScenario }: MatrixLinks): Markup {
  return markup`<tr><th scope="row">${linked(scenario, ofScenario?.(scenario))}</th>${cells.map(matrixCell)}</tr>`;
}

function matrixCell(cell: MatrixCell): Markup {
  const { mark, words, tone } = cellWords(cell);
  const head = markup`<b class="${tone}"><span aria-hidden="true">${mark}</span> ${words}</b>`;
  if (cell.word === null) return markup`<td class="not-run">${head}</td>`;
  const figures = [
    `${count(cell.loggedOut)} of ${count(cell.users)} logged out`,
    `${count(cell.writesLost)} of ${count(cell.acknowledged)} lost`,
    failedWords(cell),
    recoveryWords(cell),
  ];
  return markup`<td class="cell-${tone}">${head}${figures.map(figure => markup`<span>${figure}</span>`)}</td>`;
}

function linked(text: string, address: string | undefined): Markup {
  return address === undefined ? markup`${text}` : markup`<a href="${address}">${text}</a>`;
}

function legend(): Markup {
  const meanings = matrixLegend.map(({ mark, words }) => `${mark} ${words}`).join(' · ');
  return markup`<p class="meta">In each cell: users logged out, acknowledged writes lost, requests failed, recovery. ${meanings}.</p>`;
}
