import type { Findings } from './checker/findings.js';
import type { RunRecord } from './history.js';

export type VerdictWord = 'pass' | 'fail' | 'inconclusive';

export interface Verdict {
  readonly word: VerdictWord;
  /** Why it is inconclusive, or which expectations were not met: whole sentences. */
  readonly reasons: readonly string[];
  readonly expectations: readonly {
    readonly text: string;
    readonly met: boolean;
    /** What was measured, for the message. */
    readonly actual: string;
  }[];
}

/** A run with all that was computed from it: what reporters get. */
export interface JudgedRun {
  readonly run: RunRecord;
  readonly findings: Findings;
  readonly verdict: Verdict;
}
