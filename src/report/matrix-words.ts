import type { Tone } from './comparison.js';
import type { MatrixCell, MatrixOutcome } from './matrix.js';
import { count, seconds } from './words.js';

/** How a cell is marked. The mark says it without colour, the words without the mark. */
export interface CellWords {
  readonly mark: string;
  readonly words: string;
  readonly tone: Tone;
}

const outcomes: Record<MatrixOutcome, CellWords> = {
  kept: { mark: '✓', words: 'kept', tone: 'pass' },
  'expected-loss': { mark: '▼', words: 'loss, as expected', tone: 'loss' },
  'unexpected-loss': { mark: '✗', words: 'loss, not expected', tone: 'fail' },
  'missing-loss': { mark: '✗', words: 'no loss where there must be one', tone: 'fail' },
  inconclusive: { mark: '?', words: 'inconclusive', tone: 'inconclusive' },
  'not-run': { mark: '–', words: 'not run', tone: 'plain' },
};

/** A run may keep everything, or lose what it may lose, and fail for something else: that must not look like a pass. */
export function cellWords({ outcome, word }: MatrixCell): CellWords {
  const plain = outcomes[outcome];
  if (word !== 'fail' || plain.tone === 'fail') return plain;
  return { mark: '✗', words: `${plain.words}, but another expectation fails`, tone: 'fail' };
}

/** `after 1.2 s`, `not recovered`, or a dash where there was nothing to recover from. */
export function recoveryWords({ recovered, recoveryMs, word }: MatrixCell): string {
  if (word === null) return '–';
  if (!recovered) return 'not recovered';
  if (recoveryMs === null) return '–';
  return recoveryMs < 100 ? 'within 0.1 s' : `after ${seconds(recoveryMs)}`;
}

export function failedWords({ requestsFailed }: MatrixCell): string {
  return `${count(requestsFailed)} failed`;
}

/** What the marks mean, in the order in which they are worth reading. */
export const matrixLegend: readonly CellWords[] = Object.values(outcomes);
