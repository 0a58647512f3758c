import type { TableReporter } from '../reporter.js';
import type { FailureTable } from '../table.js';

/**
 * Renders the cells, and apart from them the experiments with all exchanges and all lines of the logs. `decisive` is the
 * id of the exchange that shows a cell best. Schema 1: fields are added and never changed.
 */
export const json: TableReporter = table => {
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
