import type { TableReporter } from '../reporter.js';

/** Renders all cells with all exchanges. Schema 1: fields are added and never changed. */
export const json: TableReporter = ({ proxies, rows }) => {
  const whole = {
    schema: 1,
    proxies,
    rows: rows.map(({ row, phase, title, what, cells }) => ({
      ...{ row, phase, title, what },
      cells: cells.map(({ proxy, method, kind, says, why, decisive, recording }) => ({
        ...{ proxy, method, kind, says, why },
        decisive: decisive ?? null,
        exchanges: recording.exchanges.filter(
          (exchange, index) => exchange.phase === phase || exchange.phase === 'before' || index === decisive,
        ),
        carriedOut: recording.log,
      })),
    })),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
};
