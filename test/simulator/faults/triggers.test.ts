import { expect } from 'chai';
import type { LabCluster } from '#src/simulator/cluster/cluster.js';
import { ScenarioError } from '#src/simulator/errors.js';
import { runFaults } from '#src/simulator/faults/schedule.js';
import { formatWhen, LiveCounts, parseWhen } from '#src/simulator/faults/trigger.js';
import type { Operation } from '#src/simulator/history/records.js';
import type { FaultSpec } from '#src/simulator/scenario/scenario.js';
import { user } from '../checker/histories.js';
import { leavingNothing, program, quickProxy, withCluster } from '../processes.js';
import { stage } from './fault-stage.js';

const backends = { count: 2, env: {}, program: program('plain-backend') };
const spec = { mode: 'redis', backends, stores: ['redis'], proxy: quickProxy } as const;
const [add] = user('ann', 'add x') as [Operation];

function hang(id: string, target: string, trigger: FaultSpec['trigger'], forMs?: number): FaultSpec {
  return { id, trigger, do: 'hang', target, ...(forMs !== undefined && { forMs }) };
}

function note(counts: LiveCounts, text: string): void {
  for (const operation of user('ann', text)) counts.note(operation);
}

describe('faults that wait for a count, or last to the end of the phase', () => {
  it('strike and are healed in the right order', () => leavingNothing(() => withCluster(spec, inOrder)));

  async function inOrder(cluster: LabCluster): Promise<void> {
    await whenReached(cluster);
    await whenNotReached(cluster);
    await whenNotConfirmed(cluster);
    await whenInterrupted(cluster);
    for (const member of cluster.members) expect(member.state, member.name).to.equal('up');
  }

  async function whenReached(cluster: LabCluster): Promise<void> {
    const transitions: string[] = [];
    let reachedMs = Number.POSITIVE_INFINITY;
    const staged = stage(cluster, transitions, edge => {
      if (edge !== 'cut confirmed') return;
      const { counts, clock } = staged.stage;
      note(counts, 'add x, add y, add z?, add w!, login, read x y');
      setTimeout(() => {
        expect(transitions, 'nothing strikes before').to.not.include('kill injected');
        reachedMs = clock.now();
        counts.note(add);
      }, 60);
    });
    note(staged.stage.counts, 'add a, add b, add c, add d'); // before the cut: these do not count
    const { records, neverStruck } = await runFaults(
      [
        hang('cut', 'redis', { atMs: 0 }),
        hang('kill', 'backend-1', { counter: 'writes.acknowledged', sinceFault: 'cut', atLeast: 3, delayMs: 40 }),
        hang('promote', 'backend-2', { afterFault: 'kill', delayMs: 30 }, 20),
      ],
      staged.stage,
    );
    expect(neverStruck).to.deep.equal({});
    const [cut, kill, promote] = records;
    expect(records.map(({ id }) => id)).to.deep.equal(['cut', 'kill', 'promote']);
    expect(kill?.requestedMs).to.be.at.least(reachedMs + 40);
    expect(promote?.requestedMs).to.be.at.least(Number(kill?.confirmedMs) + 30);
    expect(transitions.filter(transition => transition.endsWith('healed'))).to.deep.equal([
      'promote healed',
      'kill healed',
      'cut healed',
    ]);
    expect(kill?.healedMs).to.be.at.least(500);
    expect(cut?.healedMs).to.be.at.least(Number(kill?.healedMs));
  }

  async function whenNotReached(cluster: LabCluster): Promise<void> {
    const transitions: string[] = [];
    const staged = stage(cluster, transitions);
    note(staged.stage.counts, 'add x!, add y, read y');
    const { records, neverStruck } = await runFaults(
      [
        hang('kill', 'backend-1', { counter: 'requests.failed', atLeast: 2 }),
        hang('after', 'backend-1', { afterFault: 'kill', delayMs: 0 }),
        hang('since', 'backend-1', { counter: 'requests.ok', sinceFault: 'kill', atLeast: 1 }),
      ],
      { ...staged.stage, startMs: 0, endMs: 120 },
    );
    expect(records).to.deep.equal([]);
    expect(transitions).to.have.members(['kill never-struck', 'after never-struck', 'since never-struck']);
    expect(neverStruck).to.deep.equal({
      kill: 'it waited for requests.failed >= 2, and 1 were reached when the faults phase had lasted its planned 120 ms',
      after: 'it comes after "kill", which never struck',
      since: 'it counts since "kill", which never struck',
    });
    expect(staged.stage.clock.now()).to.be.within(120, 1000);
  }

  async function whenNotConfirmed(cluster: LabCluster): Promise<void> {
    cluster.member('redis').signal('SIGSTOP'); // a kill that finds it dead is never confirmed
    cluster.member('redis').signal('SIGKILL');
    await cluster.member('redis').waitExit(2_000);
    const transitions: string[] = [];
    const { records, neverStruck } = await runFaults(
      [
        { ...hang('one', 'redis', { atMs: 0 }), do: 'kill' },
        hang('two', 'backend-1', { afterFault: 'one', delayMs: 0 }),
        hang('three', 'backend-1', { counter: 'requests.ok', sinceFault: 'one', atLeast: 1 }),
      ],
      stage(cluster, transitions).stage,
    );
    expect(records.map(({ id, confirmedMs }) => `${id} ${confirmedMs}`)).to.deep.equal(['one null']);
    expect(records[0]?.healedMs, 'healed at once, not with the phase').to.be.a('number');
    expect(neverStruck).to.deep.equal({
      two: 'it comes after "one", which was never confirmed',
      three: 'it counts since "one", which was never confirmed',
    });
  }

  async function whenInterrupted(cluster: LabCluster): Promise<void> {
    const transitions: string[] = [];
    const staged = stage(cluster, transitions, edge => {
      if (edge === 'stands confirmed') staged.interrupt();
    });
    const { records } = await runFaults(
      [
        hang('stands', 'redis', { atMs: 0 }),
        hang('waits', 'backend-2', { counter: 'requests.ok', atLeast: 1 }),
        hang('follows', 'backend-2', { counter: 'requests.ok', sinceFault: 'stands', atLeast: 1 }),
      ],
      { ...staged.stage, endMs: 60_000 },
    );
    expect(records.map(({ id }) => id)).to.deep.equal(['stands']);
    expect(transitions).to.deep.equal(['stands injected', 'stands confirmed', 'stands healed']);
  }
});

describe('live counts', () => {
  it('count operations by outcome, as the report does, and each user once', () => {
    const counts = new LiveCounts();
    note(counts, 'login, add x, add y?, add z!, read x, logout');
    for (const operation of user('bob', 'login!')) counts.note({ ...operation, renewed: true });
    expect(counts.now()).to.deep.equal({
      'writes.acknowledged': 1,
      'writes.unknown': 1,
      'requests.ok': 4,
      'requests.failed': 2,
      'requests.unknown': 1,
      'users.total': 2,
      'sessions.renewed': 1,
    });
  });

  it('notify each waiting trigger only when its count is reached, and none that gave up', async () => {
    const counts = new LiveCounts();
    const woken: string[] = [];
    const waitFor = (name: string, count: number) => {
      const wait = counts.until('writes.acknowledged', count);
      void wait.reached.then(() => woken.push(name));
      return wait;
    };
    const [first, , gaveUp] = [waitFor('one', 1), waitFor('two', 2), waitFor('gave up', 1)];
    gaveUp?.forget();
    gaveUp?.forget();
    note(counts, 'add x?, read x');
    await Promise.resolve();
    expect(woken).to.deep.equal([]);
    counts.note(add);
    await first?.reached;
    expect(woken).to.deep.equal(['one']);
    await waitFor('reached before', 1).reached;
    expect(woken).to.deep.equal(['one', 'reached before']);
  });
});

describe('the trigger "when"', () => {
  it('is parsed, and formatted as in the file', () => {
    expect(parseWhen('requests.ok>=1')).to.deep.equal({ counter: 'requests.ok', atLeast: 1 });
    const since = { counter: 'writes.acknowledged', sinceFault: 'cut-2', atLeast: 50 } as const;
    expect(parseWhen('writes.acknowledged  since cut-2 >= 50')).to.deep.equal(since);
    expect(parseWhen(formatWhen(since))).to.deep.equal(since);
    const later = { counter: 'requests.ok', atLeast: 7, delayMs: 1_500 } as const;
    expect(parseWhen('requests.ok >= 7+1.5s')).to.deep.equal(later);
    expect(formatWhen(later)).to.equal('requests.ok >= 7 + 1.5s');
  });

  it('refuses unknown counts', () => {
    expect(() => parseWhen('writes.lost >= 1')).to.throw(
      ScenarioError,
      'unknown count "writes.lost". Known: writes.ack',
    );
    expect(() => parseWhen('constructor >= 1')).to.throw(ScenarioError, 'unknown count "constructor"');
  });
});
