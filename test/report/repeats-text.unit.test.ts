import { expect } from 'chai';
import { repeatsText } from '#src/report/sentence.js';
import { summarizeRepeats } from '#src/simulator/checker/verdict/repeats.js';
import { changed, sampleRun } from './sample-runs.js';

describe('the summary of repeats, for a terminal', () => {
  const runs = Array.from({ length: 20 }, () => sampleRun({ mode: 'redis', users: 3 }));
  const text = repeatsText(summarizeRepeats(runs), { colour: false });

  it('says how many runs passed and in how many something was lost, with an interval', () => {
    expect(text).to.match(/^redis, 20 runs: 20 pass\n0 of 20 runs lost anything: below 16 % \(95 %\)\n/);
  });

  it('says in how many runs every expectation held, with an interval', () => {
    expect(text).to.match(/│ writes\.lost == 0 +│ 20 of 20 │ +above 84 % \(95 %\) │/);
  });

  it('gives the spread of each main figure, with units for times', () => {
    expect(text).to.match(/│ writes\.lost +│ +20 │ +0 │ +0 │ +0 │/);
    expect(text).to.match(/│ recoveryMs +│ +20 │ +312 ms │ +312 ms │ +312 ms │/);
  });

  it('shows a dash when no run has a value, and fits the terminal', () => {
    const none = runs.slice(0, 2).map(run => changed(run, { findings: { recoveryMs: null } }));
    const narrow = repeatsText(summarizeRepeats(none), { colour: false, columns: 60 });
    expect(narrow).to.match(/│ recoveryMs +│ +0 │ +– │/);
    for (const line of narrow.split('\n').filter(line => line.startsWith('│'))) expect(line.length).to.be.at.most(60);
  });
});
