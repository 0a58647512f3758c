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
  'expected-loss': { mark: '▼', words: 'lost, as expected', tone: 'loss' },
  'unexpected-loss': { mark: '✗', words: 'lost, not expected', tone: 'fail' },
  'missing-loss': { mark: '✗', words: 'nothing lost where a loss must be seen', tone: 'fail' },
  inconclusive: { mark: '?', words: 'inconclusive', tone: 'inconclusive' },
  'not-applicable': { mark: '·', words: 'not applicable', tone: 'plain' },
  'not-run': { mark: '–', words: 'not run', tone: 'plain' },
};

/** A run that keeps everything, or loses what it may lose, can fail for something else. It must not look like a pass. */
export function cellWords({ outcome, word }: MatrixCell): CellWords {
  const plain = outcomes[outcome];
  if (word !== 'fail' || plain.tone === 'fail') return plain;
  return { mark: '✗', words: `${plain.words}, but another expectation fails`, tone: 'fail' };
}

/** `after 1.2 s`, `not recovered`, `recovery unknown`, or a dash where nothing was struck. */
export function recoveryWords({ recovery, recoveryMs, word }: MatrixCell): string {
  if (word === null || recovery === 'none') return '–';
  if (recovery === 'not recovered') return 'not recovered';
  if (recovery === 'unknown' || recoveryMs === null) return 'recovery unknown';
  return recoveryMs < 100 ? 'within 0.1 s' : `after ${seconds(recoveryMs)}`;
}

export function failedWords({ requestsFailed }: MatrixCell): string {
  return `${count(requestsFailed)} failed`;
}

/** What the marks mean, in the order in which they are worth reading. */
export const matrixLegend: readonly CellWords[] = Object.values(outcomes);
