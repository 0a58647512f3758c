import pc from 'picocolors';
import { fitTable, toPrintable } from '../../report/fitted-table.js';
import type { CellKind } from '../cell.js';
import type { TableReporter } from '../reporter.js';
import { cellsAt, wordsOf } from '../table.js';

/** Renders the failure table for a terminal, with the reasons of the cells that are not applicable or unknown below. */
export const terminal: TableReporter = ({ proxies, rows }, { colour, columns }) => {
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
