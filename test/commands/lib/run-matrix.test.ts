import path from 'node:path';
import { expect } from 'chai';
import { cellsOf, type RunCell, RunSlots, runMatrix, type ScenarioInMode } from '#src/commands/lib/run-matrix.js';
import { type ModeName, modeNames } from '#src/modes.js';
import type { JudgedRun, Verdict, VerdictWord } from '#src/simulator/checker/verdict/verdict.js';
import { Interrupted } from '#src/simulator/errors.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { findings, run } from '../../simulator/judged.js';
import { root } from '../holdfast.js';

const shipped = (name: string) => readScenario(path.join(root, `scenarios/${name}.yaml`));

const judged = (mode: string, word: VerdictWord, more: Partial<Verdict> = {}): JudgedRun => ({
  run: { ...run, header: { ...run.header, mode } },
  findings,
  verdict: { word, reasons: [], expectations: [], ...more },
});

async function runCells(modes: readonly ModeName[], runCell: RunCell, signal = new AbortController().signal) {
  const cells = cellsOf([await shipped('kill-one')], modes).filter((cell): cell is ScenarioInMode => 'mode' in cell);
  const told: string[] = [];
  const again: ModeName[] = [];
  const { runs, failure } = await runMatrix(
    cells,
    {
      seed: undefined,
      atOnce: 4,
      signal,
      onProgress: ({ done, total }) => told.push(`${done} of ${total}`),
      onSecondTry: cells => again.push(...cells.map(({ mode }) => mode)),
    },
    runCell,
  );
  const words = [...runs].map(([{ mode }, { judged, other }]) => ({
    mode,
    word: judged.verdict.word,
    ...(other && { [other.which]: other.judged.verdict.word }),
  }));
  return { words, failure, told, again };
}

describe('the cells of a matrix', () => {
  it('are every scenario in every mode, and are not run when a fault has no target', async () => {
    const cells = cellsOf([await shipped('kill-one'), await shipped('redis-outage')], modeNames);
    const named = cells.map(cell =>
      'mode' in cell ? `${cell.scenario.name} ${cell.mode}` : `not ${cell.scenario.name} ${cell.notApplicable.mode}`,
    );
    expect(named).to.deep.equal([
      ...modeNames.map(mode => `kill-one ${mode}`),
      'not redis-outage sticky',
      'redis-outage redis',
      'not redis-outage memcached',
      'not redis-outage postgres',
      'redis-outage jwt',
      'redis-outage sealed',
    ]);
  });
});

describe('the runs of a matrix', () => {
  it('are in the order of the cells, whichever finishes first', async () => {
    let release: () => void = () => {};
    const jwtIsOver = new Promise<void>(resolve => {
      release = resolve;
    });
    const { words } = await runCells(['sticky', 'jwt'], async ({ mode }) => {
      if (mode === 'sticky') await jwtIsOver;
      else release();
      return judged(mode, 'pass');
    });
    expect(words.map(({ mode }) => mode)).to.deep.equal(['sticky', 'jwt']);
  });

  it('are repeated alone when they were inconclusive or the machine was busy, and keep both results', async () => {
    const tries = new Map<ModeName, number>();
    let [running, most] = [0, 0];
    const { words, told, again } = await runCells(['sticky', 'redis', 'jwt', 'sealed'], async ({ mode }, inTurn) => {
      const count = (tries.get(mode) ?? 0) + 1;
      tries.set(mode, count);
      running += 1;
      if (count === 2) most = Math.max(most, inTurn === undefined ? running : Number.POSITIVE_INFINITY);
      await Promise.resolve();
      running -= 1;
      if (mode === 'redis' && count === 1) return judged(mode, 'inconclusive');
      if (mode === 'jwt' && count === 1) return judged(mode, 'pass', { machineWasBusy: true });
      if (mode === 'jwt') return judged(mode, 'inconclusive');
      return judged(mode, mode === 'sealed' ? 'fail' : 'pass', mode === 'sealed' ? { machineWasBusy: true } : {});
    });
    expect(words).to.deep.equal([
      { mode: 'sticky', word: 'pass' },
      { mode: 'redis', word: 'pass', firstTry: 'inconclusive' },
      { mode: 'jwt', word: 'pass', secondTry: 'inconclusive' },
      { mode: 'sealed', word: 'fail' },
    ]);
    expect(most).to.equal(1);
    expect(again).to.deep.equal(['redis', 'jwt']);
    expect(told.at(-1)).to.equal('6 of 6');
  });

  it('are repeated only when inconclusive on a machine for which one lab is too much', async () => {
    const runCell: RunCell = async ({ mode }) =>
      judged(mode, ['redis', 'jwt'].includes(mode) ? 'inconclusive' : 'pass', { machineWasBusy: true });
    const { again } = await runCells(modeNames, runCell);
    expect(again).to.deep.equal(['redis', 'jwt']);
  });

  it('are kept when they had finished before the lab failed in another one', async () => {
    const failure = new Error('no port');
    let release: () => void = () => {};
    const stickyIsOver = new Promise<void>(resolve => {
      release = resolve;
    });
    const result = await runCells(['sticky', 'redis', 'jwt'], async ({ mode }, _, signal) => {
      if (mode === 'sticky') {
        setImmediate(release);
        return judged(mode, 'pass');
      }
      await stickyIsOver;
      if (mode === 'redis') throw failure;
      if (signal.aborted) throw new Interrupted();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Interrupted())));
    });
    expect(result.words).to.deep.equal([{ mode: 'sticky', word: 'pass' }]);
    expect(result.failure).to.equal(failure);
  });

  it('are kept when they had finished before the user stopped the command', async () => {
    const controller = new AbortController();
    const runCell: RunCell = async ({ mode }) => {
      if (mode !== 'sticky') throw new Interrupted();
      controller.abort();
      return judged(mode, 'pass');
    };
    const { words, failure } = await runCells(['sticky', 'redis'], runCell, controller.signal);
    expect(words.map(({ mode }) => mode)).to.deep.equal(['sticky']);
    expect(failure).to.be.instanceOf(Interrupted);
  });
});

/** Makes slots and reports these verdicts to them. Each cell began with the current number of labs. */
function slotsAfter(max: number, words: readonly VerdictWord[], usedShare = 0.8): RunSlots {
  const slots = new RunSlots(max, () => () => usedShare);
  for (const word of words) slots.done(slots.atOnce, word === 'inconclusive');
  return slots;
}

const pass = (count: number): VerdictWord[] => Array.from({ length: count }, () => 'pass');
const inconclusive = (count: number): VerdictWord[] => Array.from({ length: count }, () => 'inconclusive');

describe('the number of concurrent labs, at most six,', () => {
  for (const [what, words, atOnce] of [
    ['no cell has finished', [], 3],
    ['all pass or fail', [...pass(10), 'fail', 'fail'], 3],
    ['one cell is inconclusive', inconclusive(1), 3],
    ['the first two cells are inconclusive', inconclusive(2), 2],
    ['two of twelve cells are inconclusive', [...pass(10), ...inconclusive(2)], 3],
    ['three of twelve cells are inconclusive', [...pass(9), ...inconclusive(3)], 2],
    ['two of two cells are inconclusive, twice', inconclusive(4), 1],
    ['all cells stay inconclusive', inconclusive(20), 1],
  ] as const) {
    it(`is ${atOnce} when ${what}`, () => expect(slotsAfter(6, words).atOnce).to.equal(atOnce));
  }

  for (const [used, atOnce] of [
    [0, 6],
    [0.3, 6],
    [0.5, 5],
    [0.6, 4],
    [0.8, 3],
    [1, 3],
  ] as const) {
    it(`is ${atOnce} when the first labs used ${used} of the processors`, () =>
      expect(slotsAfter(6, pass(6), used).atOnce).to.equal(atOnce));
  }

  it('grows by one after many good cells, while there is room', () => {
    expect(slotsAfter(6, [...inconclusive(4), ...pass(2), ...pass(3)], 0.3).atOnce).to.equal(2);
    expect(slotsAfter(6, [...inconclusive(4), ...pass(2), ...pass(8)], 0.3).atOnce).to.equal(3);
    expect(slotsAfter(6, [...inconclusive(4), ...pass(200)], 0.3).atOnce).to.equal(6);
    expect(slotsAfter(6, [...inconclusive(4), ...pass(200)], 0.9).atOnce).to.equal(1);
  });

  it('jumps to the fitting number only once, and shrinks when that is too many', () => {
    expect(slotsAfter(6, pass(5), 0.5).atOnce).to.equal(3);
    expect(slotsAfter(6, [...pass(6), ...inconclusive(2)], 0.5).atOnce).to.equal(4);
    expect(slotsAfter(6, [...pass(6), ...inconclusive(2), ...pass(15)], 0.5).atOnce).to.equal(4);
  });

  it('grows after it shrank at the start, because the cause may have been temporary', () => {
    expect(slotsAfter(6, [...inconclusive(2), ...pass(4)], 0.3).atOnce).to.equal(5);
    expect(slotsAfter(6, [...inconclusive(2), ...pass(4), ...inconclusive(2), ...pass(15)], 0.3).atOnce).to.equal(4);
  });

  it('ignores cells that began when more labs were running', () => {
    const slots = slotsAfter(6, inconclusive(2));
    for (const _ of inconclusive(3)) slots.done(3, true);
    expect(slots.atOnce).to.equal(2);
  });

  it('is marked as none when one lab alone is too much for the machine', () => {
    expect(slotsAfter(4, inconclusive(3)).isMachineTooSmall).to.equal(false);
    expect(slotsAfter(4, inconclusive(4)).isMachineTooSmall).to.equal(true);
  });
});
