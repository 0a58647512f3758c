import { expect } from 'chai';
import { exportScenarios, type FoundSides } from '#src/live/export-scenario.js';
import type { ModeName } from '#src/modes.js';
import { check } from '#src/simulator/checker/check.js';
import { judge } from '#src/simulator/checker/verdict/verdict.js';
import type { FaultRecord } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import type { FaultSpec, Scenario } from '#src/simulator/scenario/scenario.js';
import { runInMemory } from '../simulator/model/run-in-memory.js';
import { changedFaults, found, lab, sessionInMemory } from './sessions.js';

const kill: FaultSpec = { id: 'kill-backend-2', trigger: { atMs: 0 }, do: 'kill', target: 'backend-2', forMs: 1200 };
const openKill: FaultSpec = { id: 'kill-backend-2', trigger: { atMs: 300 }, do: 'kill', target: 'backend-2' };
const slow: FaultSpec = {
  id: 'slow-proxy->backend-1',
  trigger: { atMs: 1800 },
  do: 'slow',
  target: 'proxy->backend-1',
  options: { latency: '300ms' },
  forMs: 900,
};

function killStore(store: string): FaultSpec {
  return { id: `kill-${store}`, trigger: { atMs: 400 }, do: 'kill', target: store, forMs: 700 };
}

async function session(left: readonly FaultSpec[], right = left, modes: readonly ModeName[] = ['sticky', 'redis']) {
  const [one = 'sticky', other = 'redis'] = modes;
  return { left: found(await sessionInMemory(one, left)), right: found(await sessionInMemory(other, right)) };
}

function scenariosOf(sides: FoundSides): Scenario[] {
  return exportScenarios(lab, sides).map(({ name, text }) => parseScenario(text, name));
}

function textOf(sides: FoundSides): string {
  return exportScenarios(lab, sides)
    .map(({ text }) => text)
    .join('\n');
}

/** Runs each exported scenario in its modes, and says what was lost there. */
async function runAgain(sides: FoundSides) {
  const again = new Map<string, { loggedOut: boolean; lost: boolean; word: string }>();
  for (const scenario of scenariosOf(sides)) {
    for (const mode of scenario.modes) {
      const run = await runInMemory(scenario, mode, makePlan(scenario, scenario.seed));
      const findings = check(run);
      const { users, writes } = findings;
      const { word } = judge(run, findings);
      again.set(mode, { loggedOut: users.loggedOut > 0, lost: writes.lost > 0, word });
    }
  }
  return again;
}

describe('the scenario of a live session', () => {
  const sessions: readonly (readonly [string, () => Promise<FoundSides>])[] = [
    ['a kill on both sides', () => session([kill])],
    ['two strikes on both sides, one with options', () => session([kill, slow])],
    ['a kill that is active at the end', () => session([openKill])],
    ['a session without a strike', () => session([])],
    ['a kill on the left side only', () => session([kill], [])],
    ['another strike on each side', () => session([kill], [killStore('redis')])],
    [
      'a kill of the store of each side',
      () => session([killStore('redis')], [killStore('postgres')], ['redis', 'postgres']),
    ],
  ];

  for (const [name, make] of sessions) {
    it(`shows again what ${name} showed, in every mode`, async () => {
      const sides = await make();
      const again = await runAgain(sides);
      for (const { run, findings } of Object.values(sides)) {
        const { users, writes } = findings;
        expect(again.get(run.header.mode), run.header.mode).to.deep.equal({
          loggedOut: users.loggedOut > 0,
          lost: writes.missing > 0,
          word: 'pass',
        });
      }
    });
  }

  it('has the users, the seed and the system of the lab, and each strike at its time', async () => {
    const [scenario, ...others] = scenariosOf(await session([kill, slow]));
    expect(others).to.deep.equal([]);
    expect(scenario).to.deep.include({ seed: 42, modes: ['sticky', 'redis'], system: lab.system });
    expect(scenario?.users).to.deep.equal({
      ...lab.users,
      arrivals: { ratePerSecond: 12, forMs: 2000, process: 'uniform', maxActive: 24 },
    });
    expect(scenario?.faults.map(({ id }) => id)).to.deep.equal(['kill-backend-2', 'slow-proxy-backend-1']);
    const [first, second] = scenario?.faults ?? [];
    expect(first).to.deep.include({ do: 'kill', target: 'backend-2', trigger: { atMs: 0 } });
    expect(first?.forMs).to.be.closeTo(1200, 100);
    expect(second).to.deep.include({ do: 'slow', target: 'proxy->backend-1', options: { latency: '300ms' } });
    expect(second?.trigger).to.deep.equal({ atMs: 1800 });
  });

  it('lets many users come over a longer time, as the live lab does', async () => {
    const run = await sessionInMemory('sticky', []);
    const many = { ...run, operations: run.operations.map(one => ({ ...one, user: `user-${one.id % 400}` })) };
    expect(run.operations.length).to.be.above(400);
    const [scenario] = scenariosOf({ left: { ...found(run), run: many } });
    expect(scenario?.users.arrivals).to.include({ ratePerSecond: 40, forMs: 10_000, maxActive: 400 });
    expect(scenario?.phases.warmupMs).to.equal(10_000);
  });

  it('says beside each expectation what was observed', async () => {
    const sides = await session([kill]);
    const { users, writes } = sides.left.findings;
    expect(users.loggedOut).to.be.greaterThan(0);
    const text = textOf(sides);
    expect(text).to.include(`users.loggedOut > 0 # observed: ${users.loggedOut} of ${users.exposed} exposed users\n`);
    expect(text).to.include(`writes.lost > 0 # observed: ${writes.lost} of ${writes.acknowledged} acknowledged\n`);
    expect(text).to.match(/ {2}redis:\n {4}- users\.loggedOut == 0 # observed: 0 of \d+ exposed users\n/);
  });

  it('gives a strike that is active at the end no length', async () => {
    const [scenario] = scenariosOf(await session([openKill]));
    expect(scenario?.faults.map(({ forMs }) => forMs)).to.deep.equal([undefined]);
  });

  it('is two files when the sides were struck differently, each with the strikes of one side', async () => {
    const files = exportScenarios(lab, await session([kill], []));
    expect(files.map(({ name }) => name)).to.deep.equal(['scenario.yaml', 'scenario-right.yaml']);
    const [left, right] = files.map(({ name, text }) => parseScenario(text, name));
    expect(left).to.deep.include({ name: 'live-sticky', modes: ['sticky'] });
    expect(right).to.deep.include({ name: 'live-redis', modes: ['redis'], faults: [] });
    for (const { text } of files) expect(text).to.match(/^# The two sides were struck differently/);
  });

  it('names two files of the same mode after their sides', async () => {
    const files = scenariosOf(await session([kill], [], ['redis', 'redis']));
    expect(files.map(({ name }) => name)).to.deep.equal(['live-redis-left', 'live-redis-right']);
  });

  it('strikes "store" when the store of each side was struck', async () => {
    const sides = await session([killStore('redis')], [killStore('postgres')], ['redis', 'postgres']);
    const [scenario, ...others] = scenariosOf(sides);
    expect(others).to.deep.equal([]);
    expect(scenario?.faults.map(({ target }) => target)).to.deep.equal(['store']);
  });

  it('expects nothing of losses when a store was not healed: only its healing can lose the data', async () => {
    const sides = await session(
      [{ id: 'kill-redis', trigger: { atMs: 400 }, do: 'kill', target: 'redis' }],
      [],
      ['redis'],
    );
    const [{ text } = { text: '' }] = exportScenarios(lab, { left: sides.left });
    expect(sides.left.findings.writes.lost).to.equal(0);
    expect(parseScenario(text, 'scenario.yaml').expect.redis).to.deep.equal([]);
    expect(text).to.match(/# No line for writes\.lost \(observed: 0 of \d+ acknowledged\): the end of a strike/);
  });

  it('expects nothing of losses that a cleared history may have forgotten', async () => {
    const { left } = await session([openKill]);
    const { run } = left;
    // The users who were logged out have logged in again. Only their new sessions are left.
    const newest = new Map(run.operations.map(({ user, session }) => [user, session]));
    const operations = run.operations.filter(({ user, session }) => session === newest.get(user));
    const cleared = found({ ...run, operations });
    expect(cleared.findings.users.loggedOut).to.equal(0);
    expect(parseScenario(textOf({ left: cleared }), 'scenario.yaml').expect.sticky).to.deep.equal([]);
  });

  it('leaves out a strike that was not confirmed, and says so', async () => {
    const { left, right } = await session([kill]);
    const unconfirmed = {
      id: 'hang',
      fault: 'hang',
      target: 'backend-2',
      confirmedMs: null,
      problem: 'it was dead\n- { at: 0s }',
    };
    const sides = {
      left: changedFaults(left, faults => [...faults, { ...faults[0], ...unconfirmed } as FaultRecord]),
      right,
    };
    expect(scenariosOf(sides).map(({ faults }) => faults.length)).to.deep.equal([1]);
    expect(textOf(sides)).to.match(
      /# Left out:\n# - hang of backend-2 at 3\.5 s of the session: it was not confirmed \(it was dead - /,
    );
  });

  it('leaves out what does not fit into a file, and expects only what came before it', async () => {
    const { left } = await session([kill]);
    const [first] = left.run.faults;
    const late = {
      ...first,
      id: 'late',
      requestedMs: 700_000,
      confirmedMs: 700_001,
      healRequestedMs: 700_002,
      healedMs: 700_003,
    };
    const operation = left.run.operations.find(({ kind }) => kind === 'whoami');
    const stranger = {
      ...operation,
      id: 1e6,
      identity: 'another',
      plannedMs: 800_000,
      sentMs: 800_000,
      doneMs: 800_001,
    };
    const sides = {
      left: found({
        ...changedFaults(left, faults => [...faults, late as FaultRecord]).run,
        operations: [...left.run.operations, stranger as (typeof left.run.operations)[number]],
      }),
    };
    expect(sides.left.findings.users.identitySwapped).to.equal(1);
    const [scenario] = scenariosOf(sides);
    expect(scenario?.faults.map(({ id }) => id)).to.deep.equal(['kill-backend-2']);
    expect(scenario?.phases.faultsMs).to.be.at.most(600_000);
    expect(scenario?.expect.any).to.include('users.identitySwapped == 0');
    expect(textOf(sides)).to.include('# - one strike from 700.0 s of the session on: a scenario file holds at most');
  });
});
