import { expect } from 'chai';
import { PlayedRun } from '#src/live/played-run.js';
import type { StrikeView } from '#src/live/protocol.js';
import { packageFile } from '#src/shared/package.js';
import type { FaultRecord, ListedRun } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { runInMemory } from '../simulator/model/run-in-memory.js';
import { countsOfReport } from './told-run.js';

const scenario = await readScenario(packageFile('scenarios/kill-one.yaml'));
const plan = makePlan(scenario, 42);
const sticky = await runInMemory(scenario, 'sticky', plan);
const redis = await runInMemory(scenario, 'redis', plan);

/** Plays a run with a clock that the test moves. */
async function withPlayed(
  run: ListedRun,
  work: (played: PlayedRun, playTo: (atMs: number) => void, strikes: StrikeView[]) => unknown,
): Promise<void> {
  let nowMs = 5000;
  const played = new PlayedRun(run, () => nowMs);
  const strikes: StrikeView[] = [];
  played.onStrike = strike => strikes.push(strike);
  await played.start();
  const playTo = (atMs: number) => {
    nowMs = 5000 + atMs;
    played.play();
  };
  try {
    await work(played, playTo, strikes);
  } finally {
    await played.stop();
  }
}

const counts = (played: PlayedRun) => {
  const { p99Ms: _, ...rest } = played.view().counts;
  return rest;
};
const kill = ({ faults: [fault] }: ListedRun): FaultRecord => fault ?? expect.fail('no fault');

describe('a played history', () => {
  for (const run of [sticky, redis]) {
    it(`of mode ${run.header.mode} ends in the state of its report, whatever the steps of the clock`, async () => {
      for (const stepMs of [250, 100_000]) {
        await withPlayed(run, (played, playTo) => {
          for (let atMs = 0; atMs < 20_000 + stepMs; atMs += stepMs) playTo(atMs);
          expect(played.view()).to.include({ mode: run.header.mode, stage: 'over' });
          expect(counts(played)).to.deep.equal(countsOfReport(run));
          expect(played.record()).to.equal(run);
          expect(played.view().users).to.have.length(new Set(run.operations.map(({ user }) => user)).size);
        });
      }
    });
  }

  it('shows at each time what a live side would have shown', async () => {
    await withPlayed(sticky, (played, playTo) => {
      const { requestedMs, confirmedMs } = kill(sticky);
      playTo(requestedMs - 1);
      expect(played.view()).to.deep.include({ stage: 'running', strikes: [], offers: [], nowMs: requestedMs - 1 });
      expect(counts(played)).to.include({ loggedOut: 0, exposed: null });
      const before = played.view().users.length;
      expect(before).to.be.within(20, 64);
      playTo((confirmedMs ?? 0) + 700);
      played.judgeAll();
      expect(played.view().strikes.map(({ state }) => state)).to.deep.equal(['confirmed']);
      expect(counts(played).loggedOut).to.be.greaterThan(3);
      expect(played.view().users.map(({ state }) => state)).to.include('logged-out');
      expect(played.view().members.find(({ name }) => name === 'backend-2')?.state).to.not.equal('up');
    });
  });

  it('tells each state of a strike once, with what was known then', async () => {
    await withPlayed(sticky, (_played, playTo, strikes) => {
      for (let atMs = 0; atMs < 10_000; atMs += 50) playTo(atMs);
      expect(strikes.map(({ state }) => state)).to.deep.equal(['requested', 'confirmed', 'healing', 'healed']);
      const { requestedMs, confirmedMs, healedMs } = kill(sticky);
      expect(strikes[0]).to.include({ requestedMs, confirmedMs: null, healedMs: null });
      expect(strikes[1]).to.include({ confirmedMs, healedMs: null });
      expect(strikes[3]).to.include({ confirmedMs, healedMs });
    });
  });

  it('says that a fault was not confirmed, and why', async () => {
    const fault = { ...kill(sticky), confirmedMs: null, problem: 'the system does not look broken that way' };
    await withPlayed({ ...sticky, faults: [fault] }, (played, playTo, strikes) => {
      playTo(100_000);
      expect(strikes.map(({ state }) => state)).to.deep.equal(['requested', 'not-confirmed', 'healing', 'healed']);
      expect(strikes[1]?.problem).to.equal(fault.problem);
      expect(counts(played)).to.deep.equal(countsOfReport({ ...sticky, faults: [fault] }));
    });
  });

  it('says why a fault was not healed, at the end', async () => {
    const problem = 'backend-2 did not answer';
    const notBack = [{ member: 'backend-2', why: 'did not answer' }];
    const fault = { ...kill(sticky), healedMs: null, notBack, problem };
    await withPlayed({ ...sticky, faults: [fault] }, (_played, playTo, strikes) => {
      playTo(100_000);
      expect(strikes.map(({ state }) => state)).to.deep.equal(['requested', 'confirmed', 'healing', 'not-healed']);
      expect(strikes.map(strike => strike.problem)).to.deep.equal([undefined, undefined, undefined, problem]);
    });
  });

  it('stops where it is, with the counters of the history so far', async () => {
    await withPlayed(sticky, async (played, playTo) => {
      playTo(2500);
      await played.stop();
      expect(played.view()).to.include({ stage: 'over', nowMs: 2500 });
      expect(counts(played)).to.deep.equal(countsOfReport(played.record()));
      expect(played.record().operations.every(({ doneMs }) => doneMs <= 2500)).to.equal(true);
    });
  });

  it('tells the story of a user so far', async () => {
    await withPlayed(sticky, (played, playTo) => {
      expect(played.story('user-1')).to.equal(undefined);
      playTo(2000);
      const early = played.story('user-1');
      playTo(100_000);
      const whole = played.story('user-1');
      const length = (story: typeof early) => story?.file.stories.operations.id.length ?? 0;
      expect(length(early)).to.be.within(1, length(whole) - 1);
      expect(whole?.file.words[whole.user]).to.equal('user-1');
    });
  });
});
