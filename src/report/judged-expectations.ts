import type { EvaluatedExpectation } from '../simulator/checker/expectations.js';
import { type JudgedRun, type Verdict, warningsOf } from '../simulator/checker/verdict.js';
import { describeIdleLogouts } from './idle-words.js';
import { listMemberWarnings } from './member-words.js';

export type ExpectationState = 'met' | 'not met' | 'warning' | 'not judged';

/** Reads `notJudged` first: where it is set, `met` means nothing. */
export function stateOf({ met, level, notJudged }: EvaluatedExpectation): ExpectationState {
  if (notJudged !== undefined) return 'not judged';
  if (met) return 'met';
  return level === 'warn' ? 'warning' : 'not met';
}

/** The expectations that decided against a pass. */
export function listUnmet({ expectations }: Verdict): readonly EvaluatedExpectation[] {
  return expectations.filter(expectation => stateOf(expectation) === 'not met');
}

/** A sentence for each warning: an expectation that is no more than that, a member in trouble, logouts by an idle limit. */
export function listWarnings({ verdict, findings }: Pick<JudgedRun, 'verdict' | 'findings'>): string[] {
  const expectations = verdict.expectations.filter(expectation => stateOf(expectation) !== 'not judged');
  return [
    ...warningsOf({ ...verdict, expectations }),
    ...listMemberWarnings(findings.members),
    ...describeIdleLogouts(findings),
  ];
}

/** `not judged: requests.failed < 2 % (the machine was busy)`, for each expectation that was not judged. */
export function listNotJudged({ expectations }: Verdict): string[] {
  return expectations.flatMap(({ text, notJudged }) =>
    notJudged === undefined ? [] : `not judged: ${text} (${notJudged.replace(/\.$/, '')})`,
  );
}
