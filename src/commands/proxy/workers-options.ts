import { availableParallelism } from 'node:os';
import type { Argv } from 'yargs';
import { UsageError } from '../lib/errors.js';

const workersMax = 256;

export interface WorkersArgs {
  readonly workers: string;
}

export function workersFlags<T>(yargs: Argv<T>) {
  return yargs.option('workers', {
    type: 'string',
    default: '1',
    requiresArg: true,
    describe: 'processes that serve: a number, or auto for one on each core; 1 is this process itself',
  });
}

export function workersOptions({ workers }: WorkersArgs): { readonly workers: number } {
  if (workers === 'auto') return { workers: Math.min(availableParallelism(), workersMax) };
  const given = /^\d{1,3}$/.test(workers) ? Number(workers) : 0;
  if (given >= 1 && given <= workersMax) return { workers: given };
  throw new UsageError(
    `--workers "${workers}": expected a number from 1 to ${workersMax}, or auto for one on each core.`,
  );
}
