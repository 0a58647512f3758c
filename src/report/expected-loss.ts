import { allowsLoss, parseLine } from '../simulator/checker/expectations.js';
import type { JudgedRun } from '../simulator/checker/verdict.js';

/**
 * Whether the losses of a run are as its scenario expects: the run is a pass, and one of its expectations about `group`
 * demands a loss or allows one. A reader must not take such a loss for a defect, nor the pass for "nothing was lost".
 */
export function isExpectedLoss({ run, verdict }: JudgedRun, group: 'users' | 'writes'): boolean {
  if (verdict.word !== 'pass') return false;
  const expectations = run.header.expectations.map(parseLine).filter(({ level }) => level !== 'warn');
  return expectations.some(expectation => expectation.metric.startsWith(`${group}.`) && allowsLoss(expectation));
}
