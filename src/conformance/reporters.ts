import pc from 'picocolors';
import { fitTable, toPrintable } from '../report/fitted-table.js';
import { type Markup, markup, page, scrollable } from '../report/html/page.js';
import type { CellKind } from './cell.js';
import { exchangeLine, renderIndex, wireLines } from './pages.js';
import { cellsAt, type FailureTable, type TableCell, type TableReporter, type TableRow, wordsOf } from './table.js';

/** Renders the failure table for a terminal, with the reasons of the cells that are not applicable or unknown below. */
const terminal: TableReporter = ({ proxies, rows }, { colour, columns }) => {
  const colours = pc.createColors(colour);
  const paint: Record<CellKind, (text: string) => string> = {
    unknown: colours.yellow,
    'silent loss': colours.red,
    twice: colours.red,
    error: colours.red,
    'several cookies': colours.yellow,
    moved: colours.yellow,
    kept: colours.green,
    'not applicable': colours.dim,
  };
  const table = {
    head: ['', ...proxies.map(({ name, version }) => colours.bold([name, version].filter(Boolean).join('\n')))],
    rows: rows.map(row => [
      row.title,
      ...proxies.map(({ name }) => {
        const cells = cellsAt(row, name);
        const words = wordsOf(cells);
        return words.map((text, index) => paint[cells[index]?.kind ?? 'unknown'](text)).join('\n');
      }),
    ]),
    aligns: ['left' as const, ...proxies.map(() => 'left' as const)],
  };
  const reasons = rows.flatMap(({ title, cells }) =>
    cells
      .filter(({ kind }) => kind === 'unknown' || kind === 'not applicable')
      .map(({ proxy, says, why }) => toPrintable(`${proxy}: ${title}: ${says}: ${why}`)),
  );
  return [fitTable(table, columns), ...new Set(reasons), ''].join('\n');
};

/** Renders the page with the failure table. `pages.ts` renders the page of each proxy, to which its cells link. */
const markdown: TableReporter = (table, options) => renderIndex(table, options);

/**
 * Renders the cells, and apart from them the experiments with all exchanges and all lines of the logs. `decisive` is the
 * id of the exchange that shows a cell best. Schema 1: fields are added and never changed.
 */
const json: TableReporter = table => {
  const rows = table.rows.map(({ row, phase, title, what, cells }) => ({
    ...{ row, phase, title, what },
    cells: cells.map(({ proxy, method, kind, says, why, decisive, recording }) => ({
      ...{ proxy, method, kind, says, why },
      decisive: (decisive === undefined ? undefined : recording.exchanges[decisive]?.id) ?? null,
    })),
  }));
  const whole = { schema: 1, proxies: table.proxies, rows, experiments: experimentsOf(table) };
  return `${JSON.stringify(whole, null, 2)}\n`;
};

/** An experiment fills several cells, and stands here once. */
function experimentsOf({ rows }: FailureTable) {
  const all = rows.flatMap(({ row, cells }) => cells.map(cell => ({ row, ...cell })));
  const firsts = all.filter((cell, index) => all.findIndex(other => other.recording === cell.recording) === index);
  return firsts.map(({ proxy, row, method, recording: { exchanges, log } }) => ({
    ...{ proxy, row, method, exchanges },
    carriedOut: log,
  }));
}

/** Renders one self-contained file: the table, and below it the exchanges that prove each cell. */
const html: TableReporter = (table, { again }) => {
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

export const tableReporters = { terminal, json, markdown, html } satisfies Record<string, TableReporter>;
