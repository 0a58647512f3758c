import type { Matrix } from '../matrix.js';
import { markup } from './markup.js';
import { type MatrixLinks, matrixTable } from './matrix-table.js';
import { page } from './page.js';

/** The matrix of many scenarios as a page of its own. `links.ofScenario` leads to the report of each, if there is one. */
export function matrixPage(matrix: Matrix, links: Pick<MatrixLinks, 'ofScenario'> = {}): string {
  const body = markup`<header><p class="product">Holdfast · survival matrix</p><h1>Who survives what</h1></header>
<main><section aria-label="Matrix">${matrixTable(matrix, links)}</section></main>`;
  return page({ title: 'Survival matrix – Holdfast', body });
}
