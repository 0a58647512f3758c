type Word = 'pass' | 'fail' | 'inconclusive';

/**
 * Returns the worst verdict. A fail outweighs an inconclusive run, because it was observed. No verdicts are no pass.
 */
export function worstOf(verdicts: readonly Word[]): Word {
  if (verdicts.includes('fail')) return 'fail';
  return verdicts.includes('inconclusive') || verdicts.length === 0 ? 'inconclusive' : 'pass';
}
