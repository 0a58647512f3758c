import { expect } from 'chai';
import { LiveRun, type LiveRunOptions } from '#src/live/live-run.js';
import type { MemberView, StrikeView, UserStateName } from '#src/live/protocol.js';
import { check } from '#src/simulator/checker/check.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { Interrupted, LabError } from '#src/simulator/errors.js';
import { exampleOptions } from '#src/simulator/scenario/applicable-faults.js';
import { leavingNothing } from '../simulator/processes.js';
import { labScenario } from './lab-scenario.js';
import { countsOfReport } from './told-run.js';

const usersCount = 8;

function newRun(more: Partial<LiveRunOptions>): LiveRun {
  const { signal } = new AbortController();
  return new LiveRun({ scenario: labScenario(), mode: 'sticky', seed: 42, users: usersCount, signal, ...more });
}

/** Returns a function that returns the run of a suite. Nothing of the run is left after the suite. */
function oneRun(more: Partial<LiveRunOptions>): () => LiveRun {
  let run: LiveRun | undefined;
  let release = (): void => undefined;
  let whole: Promise<void> | undefined;
  const use = async (isUp: () => void): Promise<void> => {
    run = newRun(more);
    try {
      await run.start();
      isUp();
      await new Promise<void>(resolve => {
        release = resolve;
      });
    } finally {
      await run.stop();
    }
  };
  before(
    () =>
      new Promise<void>((isUp, fail) => {
        whole = leavingNothing(() => use(isUp));
        whole.catch(fail);
      }),
  );
  after(() => {
    release();
    return whole;
  });
  return () => run ?? expect.fail('it was not started');
}

async function until(what: string, holds: () => boolean): Promise<void> {
  expect(await waitUntil(async () => holds(), 15_000), what).to.equal(true);
}

function namesIn(run: LiveRun, ...states: UserStateName[]): string[] {
  const { users } = run.view();
  return users.filter(({ state }) => states.includes(state)).map(({ name }) => name);
}

const allIn = (run: LiveRun) => until('every user is in', () => namesIn(run, 'in').length === usersCount);

function member(run: LiveRun, name: string): MemberView | undefined {
  return run.view().members.find(one => one.name === name);
}

/** Waits until every user has had time to notice a strike. */
async function untilNoticed(run: LiveRun): Promise<void> {
  const { acknowledged } = run.view().counts;
  await until('users go on', () => run.view().counts.acknowledged > acknowledged + 3 * usersCount);
}

async function killAndHeal(run: LiveRun): Promise<void> {
  const told: StrikeView[] = [];
  run.onStrike = strike => told.push(strike);
  expect(await run.strike('kill', 'backend-2')).to.equal(undefined);
  expect(member(run, 'backend-2')?.state).to.equal('dead');
  expect(await run.strike('hang', 'backend-2')).to.equal('backend-2 is not running');
  await untilNoticed(run);
  expect(await run.heal('backend-2')).to.equal(undefined);
  await until('it is up', () => member(run, 'backend-2')?.state === 'up');
  expect(await run.heal('backend-2')).to.equal('no strike on backend-2 is active');
  const [{ id } = { id: '' }] = told;
  const states = ['requested', 'confirmed', 'healing', 'healed'];
  expect(told.map(each => [each.id, each.state])).to.deep.equal(states.map(state => [id, state]));
  await untilNoticed(run);
}

/** Asserts that the counters are those of a report of the same history. */
function expectCountsOfReport(run: LiveRun): void {
  run.judgeAll();
  const record = run.record();
  const { counts } = run.view();
  expect(counts).to.deep.include(countsOfReport(record));
}

describe('a running side of the live lab', function () {
  this.timeout(60_000);

  describe('in mode sticky', testSticky);
  describe('in mode redis', testRedis);
  describe('with a scenario', testScenario);
  describe('that does not get to run', testNoRun);
});

function testSticky(): void {
  const side = oneRun({ mode: 'sticky' });

  it('lets users come, leave and come back under the same names, and tells the story of each', async () => {
    const run = side();
    await allIn(run);
    run.setUsers(2);
    await until('the others have left', () => namesIn(run, 'gone').length === usersCount - 2);
    run.setUsers(usersCount);
    await allIn(run);
    const names = Array.from({ length: usersCount }, (_, index) => `user-${index + 1}`);
    expect(namesIn(run, 'in')).to.have.members(names);
    const { user = -1, file } = run.story(`user-${usersCount}`) ?? {};
    expect(file?.words[user]).to.equal(`user-${usersCount}`);
    expect(run.story('user-99')).to.equal(undefined);
    run.judgeAll();
    expect(run.view().counts).to.include({ loggedOut: 0, missing: 0, failed: 0, unknown: 0, swapped: 0 });
  });

  it('heals the strikes of a member and of its links, the latest first, and refuses a strike that is active', async () => {
    const run = side();
    expect(await run.strike('slow', 'proxy->backend-1', { latency: '50ms' })).to.equal(undefined);
    expect(await run.strike('hang', 'backend-1')).to.equal(undefined);
    const again = await run.strike('slow', 'proxy->backend-1', { latency: '90ms' });
    expect(again).to.equal('slow of proxy->backend-1 is active already: heal it first');
    expect(await run.heal('backend-1')).to.equal(undefined);
    const strikes = () => run.view().strikes.map(({ id, state }) => `${id} ${state}`);
    expect(strikes()).to.deep.equal(['slow-proxy-backend-1 healed', 'hang-backend-1 healed']);
    const [slow, hang] = run.view().strikes;
    expect(Number(slow?.healedMs)).to.be.above(Number(hang?.healedMs));
    expect(await run.strike('hang', 'backend-1')).to.equal(undefined);
    run.clear();
    expect(strikes()).to.deep.equal(['hang-backend-1-2 confirmed']);
    expect(await run.heal('backend-1')).to.equal(undefined);
  });

  it('shows who is logged out by a kill, as the report does', async () => {
    const run = side();
    await untilNoticed(run);
    run.clear();
    await killAndHeal(run);
    expectCountsOfReport(run);
    const { loggedOut, exposed } = run.view().counts;
    expect(loggedOut).to.be.within(1, exposed ?? 0);
    expect(run.record().phases.at(-1)?.phase).to.equal('faults');
  });

  it('records what each backend counted and how long the processors were busy, as a run does', async () => {
    const run = side();
    const countsNow = () => run.record().lab.counts ?? {};
    await until('each backend was asked', () => 'backend-1' in countsNow() && 'backend-2' in countsNow());
    expect(countsNow()['backend-1']).to.include.keys('opened', 'unknown');
    expect(run.record().lab.busyMs).to.be.a('number');
    expect(check(run.record()).noSession.unknown).to.be.a('number');
  });
}

function testRedis(): void {
  const side = oneRun({ mode: 'redis' });

  it('shows that a kill logs no user out, as the report does', async () => {
    const run = side();
    await allIn(run);
    await killAndHeal(run);
    expectCountsOfReport(run);
    expect(run.view().counts).to.include({ loggedOut: 0, missing: 0, lost: 0 });
  });

  for (const [fault, target] of [
    ['scale-out', 'backend-3'],
    ['drain', 'backend-1'],
    ['errors', 'backend-1'],
    ['throttle', 'backend-1->redis'],
    ['cut-link', 'proxy->backend-1'],
    ['stop', 'redis'],
    ['kill', 'proxy'],
  ] as const)
    it(`can be struck as it offers: ${fault} of ${target}`, async () => {
      const run = side();
      const offer = run.view().offers.find(each => each.target === target);
      expect(offer?.faults.map(({ name }) => name)).to.include(fault);
      expect(await run.strike(fault, target, exampleOptions(fault))).to.equal(undefined);
      expect(await run.heal(offer?.member ?? '')).to.equal(undefined);
    });
}

function testScenario(): void {
  const phases = { warmup: '1s', baseline: '1s', faults: '2s' };
  const faults = [
    { id: 'first', at: '200ms', do: 'kill', target: 'backend-any', for: '300ms' },
    { id: 'second', after: 'first + 100ms', do: 'hang', target: 'backend-1' },
  ];
  const side = oneRun({ scenario: labScenario({ phases, faults }) });

  it('runs the faults of the scenario at their times, and heals them', async () => {
    const run = side();
    const states = () => run.view().strikes.map(({ id, state }) => `${id} ${state}`);
    await until('both have struck', () => states().join() === 'first healed,second confirmed');
    expect(run.view().strikes[0]?.requestedMs).to.be.within(2_200, 4_000);
    expect(await run.heal('backend-1')).to.equal(undefined);
  });

  it('stops at once in the middle of strikes, and then changes no more', async () => {
    const run = side();
    await run.strike('flap', 'backend-2', { up: '100ms', down: '100ms' });
    await run.strike('hang', 'backend-1');
    const beganMs = performance.now();
    await run.stop();
    // A process that ignores SIGTERM is killed after two seconds.
    expect(performance.now() - beganMs).to.be.below(1_900);
    const { stage, nowMs, strikes } = run.view();
    expect(stage).to.equal('over');
    expect(strikes.find(({ fault }) => fault === 'flap')?.state).to.equal('confirmed');
    expect(run.view().nowMs).to.equal(nowMs);
    expect(await run.strike('kill', 'backend-1')).to.equal('the system of mode sticky is not running: it is over');
  });
}

function testNoRun(): void {
  it('stops while it starts, and leaves nothing', () =>
    leavingNothing(async () => {
      const interruption = new AbortController();
      const run = newRun({ mode: 'redis', signal: interruption.signal });
      const started = run.start().catch((error: unknown) => error);
      await until('a process runs', () => run.view().members.some(({ state }) => state === 'up'));
      interruption.abort();
      expect(await started).to.be.instanceOf(Interrupted);
      await run.stop();
      expect(run.view().stage).to.equal('over');
    }));

  it('says why its system could not be started', () =>
    leavingNothing(async () => {
      const backends = { count: 1, command: 'echo no; exit 7', ready: { within: '5s' } };
      const run = newRun({ scenario: labScenario({ system: { backends } }) });
      expect(await run.start().catch((error: unknown) => error)).to.be.instanceOf(LabError);
      await run.stop();
      const { stage, problem } = run.view();
      expect(stage).to.equal('failed');
      expect(problem).to.match(/^backend-1 ended with code 7/);
    }));
}
