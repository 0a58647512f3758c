import { expect } from 'chai';
import { compareWithEarlier } from '#src/simulator/checker/verdict/against.js';
import { type ModeSummary, type RunResult, summarizeResults } from '#src/simulator/checker/verdict/repeats.js';

const nothingLost = 'writes.lost == 0';

/** Returns a summary of `runs` runs. `lossy` of them lost something and did not meet the expectation that nothing
 * is. */
function summary(runs: number, lossy: number, text = nothingLost, mode = 'redis', level?: 'warn'): ModeSummary {
  const results = Array.from({ length: runs }, (_, index): RunResult => {
    const lostAnything = index < lossy;
    const expectation = { text, ...(level && { level }), met: !lostAnything, actual: lostAnything ? '1' : '0' };
    return { word: lostAnything ? 'fail' : 'pass', lostAnything, expectations: [expectation] };
  });
  return summarizeResults(mode, results);
}

const textsOf = (before: readonly ModeSummary[], now: readonly ModeSummary[]) =>
  compareWithEarlier(before, now).map(({ mode, text }) => `${mode}: ${text}`);

describe('a comparison with an earlier report', () => {
  it('is worse, and fails, when an expectation held in every run before and does not now', () => {
    const [change] = compareWithEarlier([summary(20, 0)], [summary(20, 1)]);
    expect(change).to.deep.equal({
      mode: 'redis',
      kind: 'worse',
      fails: true,
      text: 'writes.lost == 0 held in 19 of 20 runs, before in 20 of 20: worse',
    });
  });

  it('does not fail for an expectation that did not hold in every run before', () => {
    const changes = compareWithEarlier([summary(20, 1)], [summary(20, 5)]);
    expect(changes.some(({ fails }) => fails)).to.equal(false);
  });

  it('does not fail for a warning, and marks it as a warning', () => {
    const [change] = compareWithEarlier(
      [summary(3, 0, nothingLost, 'redis', 'warn')],
      [summary(3, 3, nothingLost, 'redis', 'warn')],
    );
    expect(change).to.include({ kind: 'worse', fails: false });
    expect(change?.text).to.include('(a warning)');
  });

  it('says what is better', () => {
    expect(textsOf([summary(2, 1)], [summary(2, 0)])).to.include(
      'redis: writes.lost == 0 held in 2 of 2 runs, before in 1 of 2: better',
    );
  });

  const rates: readonly (readonly [before: ModeSummary, now: ModeSummary, end: string])[] = [
    [summary(20, 0), summary(20, 20), 'lost something in 20 of 20 runs, before in 0 of 20: worse'],
    [
      summary(20, 0),
      summary(20, 6),
      'lost something in 6 of 20 runs, before in 0 of 20: no difference that 20 runs can show',
    ],
    [summary(50, 0), summary(50, 10), 'lost something in 10 of 50 runs, before in 0 of 50: worse'],
    [summary(50, 40), summary(50, 10), 'lost something in 10 of 50 runs, before in 40 of 50: better'],
    [
      summary(1, 0),
      summary(1, 0),
      'lost something in 0 of 1 runs, before in 0 of 1: no difference that 1 run can show',
    ],
    [summary(20, 0), summary(5, 0), 'before in 0 of 20: no difference that 5 runs can show'],
  ];
  for (const [before, now, end] of rates) {
    it(`compares the share of lost runs: ${now.lost.times} of ${now.runs}, before ${before.lost.times} of ${before.runs}`, () => {
      expect(textsOf([before], [now]).at(-1)).to.include(end);
    });
  }

  it('names the modes that only one report holds', () => {
    expect(textsOf([summary(1, 0, nothingLost, 'jwt')], [summary(1, 0, nothingLost, 'sticky')])).to.deep.equal([
      'sticky: the earlier report does not hold this mode',
      'jwt: this run does not hold this mode, the earlier report does',
    ]);
  });

  it('names the expectations that only one report holds', () => {
    expect(textsOf([summary(1, 0, 'writes.phantom == 0')], [summary(1, 0)]).slice(0, 2)).to.deep.equal([
      'redis: the earlier report does not hold writes.lost == 0',
      'redis: this run does not expect writes.phantom == 0, the earlier one did',
    ]);
  });

  it('does not compare a mode whose runs are all inconclusive, and says so once', () => {
    const result = { word: 'inconclusive', lostAnything: false, expectations: [] } as const;
    const doubtful = summarizeResults('redis', [result, result]);
    expect(textsOf([summary(1, 0)], [doubtful])).to.deep.equal([
      'redis: every run is inconclusive, so nothing can be compared',
    ]);
    expect(textsOf([doubtful], [summary(1, 0)])).to.deep.equal([
      'redis: every run of the earlier report was inconclusive, so nothing can be compared',
    ]);
  });

  it('says which report could not judge an expectation', () => {
    const expectations = [{ text: nothingLost, met: false, actual: '1', notJudged: 'the driver was late' }];
    const unjudged = summarizeResults('redis', [{ word: 'pass', lostAnything: false, expectations }]);
    expect(textsOf([summary(1, 0)], [unjudged])[0]).to.equal('redis: this run could not judge writes.lost == 0');
    expect(textsOf([unjudged], [summary(1, 1)])[0]).to.equal(
      'redis: the earlier report could not judge writes.lost == 0',
    );
  });
});
