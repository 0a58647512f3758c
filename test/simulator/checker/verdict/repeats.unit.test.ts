import { expect } from 'chai';
import {
  compareWithEarlier,
  describeInterval,
  describeLost,
  judgeRepeats,
  type ModeSummary,
  type RunResult,
  summarizeMode,
  summarizeRepeats,
  summarizeResults,
  wilsonInterval,
} from '#src/simulator/checker/verdict/repeats.js';
import type { JudgedRun, Verdict, VerdictWord } from '#src/simulator/checker/verdict/verdict.js';
import { findings, run } from '../../judged.js';

const verdict = (word: VerdictWord, actual = '0', ...reasons: string[]): Verdict => ({
  word,
  reasons,
  expectations: [{ text: 'writes.lost == 0', met: word === 'pass', actual }],
});

const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);

describe('the verdict of repeats', () => {
  it('is the only verdict when there is one', () => {
    const only: Verdict = { ...verdict('inconclusive', '3', 'Why.'), machineWasBusy: true };
    expect(judgeRepeats([only])).to.deep.equal(only);
  });

  const table: readonly (readonly [what: string, words: readonly VerdictWord[], word: VerdictWord])[] = [
    ['all pass', times(3, 'pass'), 'pass'],
    ['nine pass and one fails', [...times<VerdictWord>(9, 'pass'), 'fail'], 'fail'],
    ['one fails and the others are inconclusive', ['inconclusive', 'fail', 'inconclusive'], 'fail'],
    ['one of each', ['pass', 'inconclusive', 'fail'], 'fail'],
    ['passes and one inconclusive run', ['pass', 'inconclusive', 'pass'], 'inconclusive'],
    ['all inconclusive', times(2, 'inconclusive'), 'inconclusive'],
    ['no run', [], 'inconclusive'],
  ];
  for (const [what, words, word] of table) {
    it(`is ${word}: ${what}`, () => {
      expect(judgeRepeats(words.map(each => verdict(each))).word).to.equal(word);
    });
  }

  it('says how many runs failed, with the reasons of only those runs', () => {
    const mixed = judgeRepeats([
      verdict('pass'),
      verdict('fail', '3', 'Was 3.'),
      verdict('inconclusive', '0', 'Late.'),
      verdict('fail', '4', 'Was 4.'),
      verdict('fail', '3', 'Was 3.'),
    ]);
    expect(mixed.reasons).to.deep.equal(['3 of 5 runs failed, and one counterexample is enough.', 'Was 3.', 'Was 4.']);
    expect(mixed.expectations).to.deep.equal([{ text: 'writes.lost == 0', met: false, actual: '0; 3; 4' }]);
  });

  it('says how many runs were inconclusive among passes', () => {
    expect(judgeRepeats([verdict('pass'), verdict('inconclusive', '0', 'Late.')]).reasons).to.deep.equal([
      '1 of 2 runs were inconclusive, so the passes of the others do not stand for all.',
      'Late.',
    ]);
  });

  it('separates a warning from an expectation with the same text', () => {
    const twice = (met: boolean): Verdict => ({
      word: 'pass',
      reasons: [],
      expectations: [
        { text: 'writes.lost == 0', met: true, actual: '0' },
        { text: 'writes.lost == 0', level: 'warn', met, actual: met ? '0' : '1' },
      ],
    });
    expect(judgeRepeats([twice(true), twice(false)]).expectations).to.deep.equal([
      { text: 'writes.lost == 0', met: true, actual: '0' },
      { text: 'writes.lost == 0', level: 'warn', met: false, actual: '0; 1' },
    ]);
  });

  it('ignores the runs that could not judge an expectation, unless none could', () => {
    const late = { text: 'writes.lost == 0', met: false, actual: '9', notJudged: 'the driver was late' };
    const unjudged: Verdict = { word: 'pass', reasons: [], expectations: [late] };
    expect(judgeRepeats([unjudged, verdict('pass')]).expectations).to.deep.equal([
      { text: 'writes.lost == 0', met: true, actual: '0' },
    ]);
    expect(judgeRepeats([unjudged, unjudged]).expectations).to.deep.equal([late]);
  });
});

describe('an interval', () => {
  const table: readonly (readonly [times: number, of: number, words: string])[] = [
    [0, 20, 'below 16 % (95 %)'],
    [0, 50, 'below 7.1 % (95 %)'],
    [0, 1, 'below 79 % (95 %)'],
    [0, 1000, 'below 0.38 % (95 %)'],
    [3, 20, '5.2 % to 36 % (95 %)'],
    [1, 2, '9.5 % to 91 % (95 %)'],
    [20, 20, 'above 84 % (95 %)'],
    [1, 1, 'above 21 % (95 %)'],
    [1000, 1000, 'above 99.62 % (95 %)'],
    [999, 1000, '99.44 % to 99.982 % (95 %)'],
    [0, 0, 'nothing was judged'],
  ];
  for (const [count, of, words] of table) {
    it(`for ${count} in ${of} is ${words}`, () => {
      expect(describeInterval(wilsonInterval(count, of))).to.equal(words);
    });
  }

  it('is the Wilson interval, with both ends between 0 and 1', () => {
    const { low, high } = wilsonInterval(3, 20);
    expect(low).to.be.closeTo(0.05237, 1e-5);
    expect(high).to.be.closeTo(0.36042, 1e-5);
    expect(wilsonInterval(0, 20)).to.include({ low: 0 });
    expect(wilsonInterval(20, 20)).to.include({ high: 1 });
  });
});

interface Figures {
  readonly mode?: string;
  readonly lost?: number;
  readonly loggedOut?: number;
  readonly p99?: number | null;
  readonly recoveryMs?: number | null;
  readonly verdict?: Verdict;
}

function judged({ mode = 'redis', lost = 0, loggedOut = 0, p99 = 10, recoveryMs = 0, verdict: given }: Figures = {}) {
  const whole: JudgedRun = {
    run: { ...run, header: { ...run.header, mode } },
    findings: {
      ...findings,
      users: { ...findings.users, loggedOut },
      writes: { ...findings.writes, lost },
      latencyMs: { ...findings.latencyMs, p99 },
      recoveryMs,
    },
    verdict: given ?? verdict('pass'),
  };
  return whole;
}

describe('the summary of repeats', () => {
  it('says how many runs lost a write or a session', () => {
    expect(describeLost(summarizeMode(times(20, judged())))).to.equal('0 of 20 runs lost anything: below 16 % (95 %)');
    const three = [judged({ lost: 2 }), judged({ loggedOut: 1 }), judged({ lost: 1, loggedOut: 1 })];
    expect(describeLost(summarizeMode([...times(17, judged()), ...three]))).to.equal(
      '3 of 20 runs lost something: 5.2 % to 36 % (95 %)',
    );
  });

  it('counts an inconclusive run only if it lost something', () => {
    const doubtful = verdict('inconclusive');
    const summary = summarizeMode([judged(), judged({ verdict: doubtful }), judged({ verdict: doubtful, lost: 1 })]);
    expect(summary.lost).to.include({ times: 1, of: 2 });
    expect(describeLost(summary)).to.match(/^1 of 2 runs lost something: .*; 1 inconclusive run is not counted$/);
    expect(describeLost(summarizeMode(times(2, judged({ verdict: doubtful }))))).to.equal(
      '0 of 0 runs lost anything: nothing was judged; 2 inconclusive runs are not counted',
    );
  });

  it('says for every expectation in how many of the runs that judged it it held', () => {
    const late: Verdict = {
      word: 'pass',
      reasons: [],
      expectations: [
        { text: 'writes.lost == 0', met: true, actual: '0' },
        { text: 'latencyMs.p99 < 50', met: false, actual: '80', notJudged: 'the driver was late' },
      ],
    };
    const summary = summarizeMode([judged({ verdict: late }), judged(), judged({ verdict: verdict('fail', '1') })]);
    expect(summary.expectations.map(({ text, held, judged }) => `${text}: ${held} of ${judged}`)).to.deep.equal([
      'writes.lost == 0: 2 of 3',
      'latencyMs.p99 < 50: 0 of 0',
    ]);
    expect(summary.verdicts).to.deep.equal({ pass: 2, fail: 1, inconclusive: 0 });
  });

  it('does not count expectations that an inconclusive run met', () => {
    const { expectations } = summarizeMode([judged(), judged({ verdict: verdict('inconclusive') })]);
    expect(expectations[0]).to.include({ held: 1, judged: 1 });
  });

  it('shows the spread of the main figures, without the runs that have no value', () => {
    const runs = [judged({ lost: 4, p99: 30 }), judged({ p99: null }), judged({ p99: 20, recoveryMs: null })];
    const { figures } = summarizeMode(runs.map(each => ({ ...each })));
    expect(figures.map(({ name }) => name)).to.deep.equal([
      'users.loggedOut',
      'writes.lost',
      'requests.failed',
      'latencyMs.p99',
      'recoveryMs',
    ]);
    expect(figures[1]).to.deep.equal({ name: 'writes.lost', runs: 3, min: 0, median: 0, max: 4 });
    expect(figures[3]).to.deep.equal({ name: 'latencyMs.p99', runs: 2, min: 20, median: 25, max: 30 });
    const [, , , p99] = summarizeMode([judged({ p99: null })]).figures;
    expect(p99).to.deep.equal({ name: 'latencyMs.p99', runs: 0, min: null, median: null, max: null });
  });

  it('is made for each mode that ran more than once', () => {
    const modes = ['redis', 'sticky', 'redis', 'jwt', 'sticky'].map(mode => judged({ mode }));
    expect(summarizeRepeats(modes).map(({ mode, runs }) => `${mode} ${runs}`)).to.deep.equal(['redis 2', 'sticky 2']);
  });
});

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
