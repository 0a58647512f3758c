import { type Markup, markup } from '../../report/html/markup.js';
import { page } from '../../report/html/page.js';
import { scrollable } from '../../report/html/verdicts.js';
import type { CellKind } from '../cell.js';
import { exchangeLine, wireLines } from '../exchange-text.js';
import type { TableReporter } from '../reporter.js';
import { cellsAt, type FailureTable, type TableCell, type TableRow } from '../table.js';

const tones: Record<CellKind, string> = {
  unknown: 'inconclusive',
  'silent loss': 'fail',
  twice: 'fail',
  error: 'fail',
  'several cookies': 'inconclusive',
  moved: 'inconclusive',
  kept: 'pass',
  'not applicable': 'observed',
};

/** Renders one self-contained file: the table, and below it the exchanges that prove each cell. */
export const html: TableReporter = (table, { again }) => {
  const body = markup`<header><p class="product">Holdfast · conformance</p><h1>The failure table of session persistence</h1>
<p class="why">Each cell was computed from real requests to real processes, and leads to the exchange that shows it.</p></header>
<main><section aria-labelledby="table"><h2 id="table">The table</h2>${scrollable('Failure table', tableMarkup(table))}</section>
<section aria-labelledby="proxies"><h2 id="proxies">The proxies</h2>${proxiesMarkup(table)}</section>
<section aria-labelledby="exchanges"><h2 id="exchanges">The exchanges</h2>${table.rows.map(rowMarkup)}</section>
<section aria-labelledby="again"><h2 id="again">Again</h2><p><code>${again}</code></p></section></main>`;
  return page({ title: 'Failure table – Holdfast', body });
};

function tableMarkup({ proxies, rows }: FailureTable): Markup {
  const head = proxies.map(({ name, version }) => markup`<th scope="col">${name} ${version ?? ''}</th>`);
  const body = rows.map(row => {
    const cells = proxies.map(({ name }) => markup`<td>${cellsAt(row, name).map(cell => linkMarkup(row, cell))}</td>`);
    return markup`<tr><th scope="row">${row.title}</th>${cells}</tr>`;
  });
  return markup`<table class="matrix"><thead><tr><td></td>${head}</tr></thead><tbody>${body}</tbody></table>`;
}

function linkMarkup(row: TableRow, cell: TableCell): Markup {
  return markup`<span><a class="${tones[cell.kind]}" href="#${anchorOf(row, cell)}">${cell.method} ${cell.says}</a></span>`;
}

function anchorOf({ row, phase }: TableRow, { proxy, method }: TableCell): string {
  return `${row}-${phase}-${proxy}-${method}`.replaceAll(/[^A-Za-z0-9]+/g, '-');
}

function proxiesMarkup({ proxies }: FailureTable): Markup {
  const items = proxies.map(({ name, version, for: operator, configuration }) => {
    return markup`<li><strong>${name}</strong> ${version ?? ''}${operator === undefined ? '' : ` – ${operator}`}: <code>${configuration ?? 'no file'}</code></li>\n`;
  });
  return markup`<ul>${items}</ul>`;
}

function rowMarkup(row: TableRow): Markup {
  return markup`<h3>${row.title}</h3><p class="meta">${row.what}</p>${row.cells.map(cell => cellMarkup(row, cell))}`;
}

/** The anchor is inside the closed part: a browser opens that part when a link leads into it. */
function cellMarkup(row: TableRow, cell: TableCell): Markup {
  const { proxy, method, says, why, decisive, recording } = cell;
  const shown = decisive === undefined ? undefined : recording.exchanges[decisive];
  const requests = recording.exchanges.filter(({ phase }) => phase === row.phase);
  const lines = [...new Set(requests.map(exchange => exchangeLine(exchange, recording.log)))];
  const text = [...lines, ...(shown === undefined ? [] : ['', ...wireLines(shown)])].join('\n');
  const proof = text === '' ? '' : markup`<pre>${text}</pre>`;
  return markup`<details><summary>${proxy}, ${method}: <b class="${tones[cell.kind]}">${says}</b></summary><p id="${anchorOf(row, cell)}">${why}</p>${proof}</details>\n`;
}
