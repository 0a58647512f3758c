import { expect } from 'chai';
import {
  chooseTry,
  needsSecondTry,
  type RunOnce,
  runInOrder,
  runWithSecondTry,
} from '#src/commands/lib/run-scenario.js';
import type { ModeName } from '#src/modes.js';
import type { JudgedRun, Verdict, VerdictWord } from '#src/simulator/checker/verdict/verdict.js';
import { findings, run } from '../../simulator/judged.js';

function judged(word: VerdictWord, busy: 'busy' | 'quiet' = 'quiet'): JudgedRun {
  const verdict: Verdict = { word, reasons: [], expectations: [], ...(busy === 'busy' && { machineWasBusy: true }) };
  return { run, findings, verdict };
}

/** Returns these results one after the other; throws when the next one is an error. */
function inTurn(...results: readonly (JudgedRun | Error)[]): { readonly once: RunOnce; readonly modes: ModeName[] } {
  const left = [...results];
  const modes: ModeName[] = [];
  const once = async (mode: ModeName): Promise<JudgedRun> => {
    modes.push(mode);
    const next = left.shift() ?? new Error('one run too many');
    if (next instanceof Error) throw next;
    return next;
  };
  return { once, modes };
}

describe('a second try', () => {
  for (const [word, busy, needed] of [
    ['inconclusive', 'busy', true],
    ['pass', 'busy', true],
    ['fail', 'busy', false],
    ['inconclusive', 'quiet', false],
    ['pass', 'quiet', false],
  ] as const) {
    it(`is ${needed ? '' : 'not '}made after ${word} on a ${busy} machine`, () => {
      expect(needsSecondTry(judged(word, busy).verdict)).to.equal(needed);
    });
  }

  for (const [first, second, counts] of [
    ['inconclusive', 'pass', 'second'],
    ['inconclusive', 'fail', 'second'],
    ['inconclusive', 'inconclusive', 'second'],
    ['pass', 'pass', 'second'],
    ['pass', 'fail', 'second'],
    ['pass', 'inconclusive', 'first'],
  ] as const) {
    it(`counts as the ${counts} one: ${first}, then ${second}`, () => {
      const tries = { first: judged(first, 'busy'), second: judged(second) };
      const chosen = chooseTry(tries.first, tries.second);
      expect(chosen.judged).to.equal(tries[counts]);
      expect(chosen.other).to.deep.equal(
        counts === 'second' ? { which: 'firstTry', judged: tries.first } : { which: 'secondTry', judged: tries.second },
      );
    });
  }

  it('is announced, and is the only one', async () => {
    let said = 0;
    const { once, modes } = inTurn(judged('inconclusive', 'busy'), judged('inconclusive', 'busy'));
    const tried = await runWithSecondTry(
      () => once('redis'),
      () => {
        said += 1;
      },
    );
    expect({ said, runs: modes.length, word: tried.judged.verdict.word }).to.deep.equal({
      said: 1,
      runs: 2,
      word: 'inconclusive',
    });
  });

  it('keeps the first try when the lab fails in the second', async () => {
    const [first, failure] = [judged('pass', 'busy'), new Error('no port')];
    const { once } = inTurn(first, failure);
    expect(
      await runWithSecondTry(
        () => once('redis'),
        () => {},
      ),
    ).to.deep.equal({ judged: first, failure });
  });
});

describe('the runs of a scenario', () => {
  const choices = { modes: ['sticky', 'redis'] as const, repeat: 2, onSecondTry: () => {}, storeUrls: {} };

  it('run the modes in order, each as often as requested, and wait until each run is saved', async () => {
    const { once, modes } = inTurn(...Array.from({ length: 4 }, () => judged('pass')));
    const kept: number[] = [];
    const onRun = async () => {
      await Promise.resolve();
      kept.push(modes.length);
    };
    const { runs, failure } = await runInOrder(once, { ...choices, onRun });
    expect(failure).to.equal(undefined);
    expect(runs).to.have.length(4);
    expect(modes).to.deep.equal(['sticky', 'sticky', 'redis', 'redis']);
    expect(kept).to.deep.equal([1, 2, 3, 4]);
  });

  it('stop at the first failure, and keep the finished runs', async () => {
    const [good, failure] = [judged('pass'), new Error('no port')];
    const { once } = inTurn(good, good, failure);
    expect(await runInOrder(once, { ...choices, onRun: async () => {} })).to.deep.equal({
      runs: [{ judged: good }, { judged: good }],
      failure,
    });
  });

  it('stop when a second try fails or a run cannot be written', async () => {
    const [busy, failure] = [judged('pass', 'busy'), new Error('no port')];
    const { once, modes } = inTurn(busy, failure);
    expect((await runInOrder(once, { ...choices, onRun: async () => {} })).failure).to.equal(failure);
    expect(modes).to.have.length(2);
    const full = new Error('no space left');
    const onRun = () => Promise.reject(full);
    expect(await runInOrder(inTurn(judged('pass')).once, { ...choices, onRun })).to.have.property('failure', full);
  });
});
