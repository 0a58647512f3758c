import type { Cell } from './cell.js';
import type { Method, Recording } from './exchange.js';
import type { Experiment } from './experiment.js';

/** Requirements of a row on its system. */
export interface RowNeeds {
  /** Number of backends. Default: 3. */
  readonly backends?: number;
  /** Further backends that the proxy knows and that do not run yet. */
  readonly spare?: number;
  /** Number of proxies with one configuration. Default: 1. */
  readonly proxies?: number;
  /** The backends name their process in each answer (`holdfast-incarnation`). */
  readonly named?: true;
}

/**
 * One experiment with a proxy: real processes, one method, a fresh system. It does something to the system and lets users
 * visit it. It judges nothing: a pure function computes the cells from what was recorded. Implementations:
 * `rows/registry.ts`.
 *
 * `run` rejects with `NoMeans` when the proxy has no means for it, and with `Unestablished` when what it did to the
 * system could not be confirmed. The first makes the cells "not applicable", the second "unknown".
 */
export interface FailureRow {
  /** One sentence: what is done. */
  readonly title: string;
  /** The rows that it fills in the table, by the phase of their exchanges. */
  readonly phases: Readonly<Record<string, string>>;
  /** Default: GET and POST, each in a system of its own. */
  readonly methods?: readonly Method[];
  readonly needs?: RowNeeds;
  run(experiment: Experiment): Promise<void>;
  /** Computes the cell of one phase. Pure. Default: `judgePhase`. */
  judge?(recording: Recording, phase: string): Cell;
}

export const bothMethods: readonly Method[] = ['GET', 'POST'];
