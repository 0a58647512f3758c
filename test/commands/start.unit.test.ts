import { expect } from 'chai';
import { renderClosing } from '#src/commands/start.js';
import type { VerdictWord } from '#src/simulator/checker/verdict/verdict.js';
import { changed, sampleRun } from '../report/sample-runs.js';

const runs = (...words: readonly VerdictWord[]) =>
  words.map((word, index) => {
    const mode = index === 0 ? 'sticky' : 'redis';
    return changed(sampleRun({ mode }), { verdict: { word } });
  });
const linesOf = (...words: readonly VerdictWord[]) => renderClosing(runs(...words), 'reports/a.html').split('\n');

describe('the last lines of the first look', () => {
  it('say pass only when every mode passed, and name the next commands', () => {
    const [said, report, next] = linesOf('pass', 'pass');
    expect(said).to.match(/^pass: every mode did what the scenario expects\./);
    expect(report).to.equal('report: reports/a.html');
    expect(next).to.match(/^next: node dist\/cli\.js run rolling-restart\b/);
  });

  it('name failed modes before inconclusive ones, and how to run them again', () => {
    for (const words of [['pass', 'fail'] as const, ['inconclusive', 'fail'] as const]) {
      const [said, , next] = linesOf(...words);
      expect(said).to.match(/^fail: redis did not do what the scenario expects/);
      expect(next).to.include('run kill-one --mode redis ');
    }
  });

  it('name the live lab last, whatever the verdict is', () => {
    for (const word of ['pass', 'fail', 'inconclusive'] as const) {
      expect(linesOf(word).at(-2)).to.match(/^ {6}node dist\/cli\.js live +\(break two systems side by side/);
    }
  });

  it('do not call an inconclusive mode a pass', () => {
    const [said, , next] = linesOf('inconclusive', 'pass');
    expect(said).to.match(/^inconclusive: sticky showed too little for a verdict/);
    expect(next).to.include('--mode sticky ');
    const [all, , again] = linesOf('inconclusive', 'inconclusive');
    expect(all).to.match(/^inconclusive: every mode showed too little for a verdict/);
    expect(again).to.not.include('--mode');
  });
});
