import { demandsLoss, type Expectation, parseLine } from '../simulator/checker/expectations.js';
import { isLossMetric } from '../simulator/checker/metrics.js';
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

/** Whether a run that lost something can meet it: `writes.lost > 0`, `writes.lost < 50 %`. */
function allowsLoss(expectation: Expectation): boolean {
  const { metric, operator, number } = expectation;
  return isLossMetric(metric) && (demandsLoss(expectation) || (['<', '<='].includes(operator) && number > 0));
}
