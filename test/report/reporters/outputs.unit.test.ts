import { expect } from 'chai';
import { joinOutputs, outputsOf, renderOutputs } from '#src/report/reporter.js';
import { reporters } from '#src/report/reporters/registry.js';
import type { JudgedRun, VerdictWord } from '#src/simulator/checker/verdict/verdict.js';
import { sampleRun } from '../sample-runs.js';

describe('the outputs for a later step of a workflow', () => {
  const sticky = sampleRun({ mode: 'sticky' });
  const redis = sampleRun({ mode: 'redis' });
  const judged = (run: JudgedRun, word: VerdictWord) => ({ ...run, verdict: { ...run.verdict, word } });
  const linesOf = (text: string) => text.trimEnd().split('\n');

  it('are the worst verdict and the sums over all runs', () => {
    const { users, writes } = sticky.findings;
    expect(users.loggedOut).to.be.greaterThan(0);
    const runs = [judged(redis, 'inconclusive'), judged(sticky, 'fail'), judged(sticky, 'pass')];
    expect(linesOf(reporters.outputs.report(runs, { colour: false }))).to.deep.equal([
      'verdict=fail',
      `users-logged-out=${2 * users.loggedOut}`,
      `writes-lost=${2 * writes.lost}`,
    ]);
  });

  it('add up over scenarios, and a comparison that became worse is a fail', () => {
    const pass = judged(redis, 'pass');
    expect(renderOutputs(joinOutputs([outputsOf([pass]), outputsOf([pass])]))).to.match(/^verdict=pass\n/);
    expect(renderOutputs(joinOutputs([outputsOf([pass], 'fail'), outputsOf([pass])]))).to.match(/^verdict=fail\n/);
  });

  it('have no counts when nothing ran', () =>
    expect(linesOf(renderOutputs(outputsOf([], 'inconclusive')))).to.deep.equal([
      'verdict=inconclusive',
      'users-logged-out=',
      'writes-lost=',
    ]));
});
