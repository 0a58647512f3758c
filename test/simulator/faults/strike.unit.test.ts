import { expect } from 'chai';
import {
  type Cluster,
  type ClusterMember,
  describeExit,
  isCleanEnd,
  type Link,
  type Traffic,
} from '#src/simulator/cluster/cluster.js';
import type { Toxic } from '#src/simulator/cluster/link-pipe.js';
import type { ShellEnd } from '#src/simulator/cluster/processes/run-program.js';
import { BootFailed, MemberNotBack } from '#src/simulator/errors.js';
import { flap } from '#src/simulator/faults/kinds/signals.js';
import { runFaults } from '#src/simulator/faults/schedule.js';
import { Strike } from '#src/simulator/faults/strike.js';
import type { FaultRecord } from '#src/simulator/history/records.js';
import type { FaultSpec } from '#src/simulator/scenario/scenario.js';
import { stage } from './fault-stage.js';

const none = { bytes: 0, swallowedBytes: 0, heldBytes: 0 };
const feed = 'redis.primary->redis.replica-1';

/** Creates the parts of a cluster that a fault uses. */
function clusterWith(parts: object): Cluster {
  return { members: [], ...parts } as unknown as Cluster;
}

function memberWith(parts: Partial<ClusterMember>): ClusterMember {
  return { name: 'backend-1', role: 'backend', port: 1, isRunning: true, ...parts } as ClusterMember;
}

/** Creates a link between two stores that does not answer while it is cut and has the given counters. */
function linkWith(traffic: Pick<Traffic, 'forward' | 'back'>, onToxic: (toxic: Toxic) => void = () => undefined) {
  const disturb = async (toxic: Toxic) => {
    onToxic(toxic);
    return async () => undefined;
  };
  const whole: Traffic = { connections: 0, swallowedConnections: 0, brokenAnswers: 0, ...traffic };
  return { name: feed, port: 2, toPort: 1, traffic: whole, disturb, retarget: () => undefined } satisfies Link;
}

function fault(id: string, action: string, target: string, options = {}): FaultSpec {
  return { id, trigger: { atMs: 0 }, do: action, target, options, forMs: 30 };
}

async function runStrike(cluster: Cluster, spec: FaultSpec, seed = 1): Promise<FaultRecord> {
  const strike = new Strike(spec, { ...stage(cluster, []).stage, seed });
  await strike.inject();
  await strike.heal(() => []);
  return strike.record;
}

describe('a strike records the data for its verdict', () => {
  it('the effect, the start of healing, and the growth of the counter from confirmation to healing', async () => {
    const [forward, back] = [{ ...none }, { ...none }];
    const link = linkWith({ forward, back });
    const answers = async () => {
      forward.heldBytes += 40; // what the confirmation held back
      return true;
    };
    const replica = memberWith({ name: 'redis.replica-1', role: 'store', answers });
    const cluster = clusterWith({ members: [replica], link: () => link });
    const strike = new Strike(fault('slow', 'slow', feed, { latency: '1ms', jitter: '1ms' }), stage(cluster, []).stage);
    await strike.inject();
    expect(strike.record.confirmedMs).to.be.a('number');
    expect(strike.record.healRequestedMs).to.equal(null);
    forward.heldBytes += 60;
    back.heldBytes = 7_000; // the acknowledgements of an idle replica
    await strike.heal(() => []);
    const { expects, measured, confirmedMs, healRequestedMs, healedMs } = strike.record;
    expect(expects).to.deep.equal({ kind: 'link-bytes', link: feed });
    expect(measured).to.equal(60);
    expect(healRequestedMs).to.be.within(Number(confirmedMs), Number(healedMs));
  });

  it('no measurement for a fault without a counter', async () => {
    const member = memberWith({ kill: async () => true, confirm: async () => 'killed', waitEnd: async () => true });
    const record = await runStrike(
      clusterWith({ members: [member], member: () => member }),
      fault('k', 'kill', 'redis'),
    );
    expect(record.confirmedMs).to.be.a('number');
    expect(record).to.not.have.property('measured');
  });

  for (const [before, expected] of [
    [true, true],
    [false, false],
  ] as const)
    it(`of exec, that "confirm" ${before ? 'succeeded' : 'failed'} before "inject"`, async () => {
      const ran: string[] = [];
      const shell = async (command: string): Promise<ShellEnd> => {
        ran.push(command);
        const ok = command !== 'look' || before || ran.length > 1;
        return { ok, late: false, how: 'ended with code 0', said: '', printed: '' };
      };
      const record = await runStrike(
        clusterWith({ shell }),
        fault('x', 'exec', 'system', { inject: 'break', confirm: 'look' }),
      );
      expect(ran).to.deep.equal(['look', 'break', 'look']);
      expect(record).to.include({ wasConfirmedBefore: expected, evidence: '"look" ended with code 0' });
    });
});

describe('a strike', () => {
  it('tells every change of its state, and can be healed again after a failure', async () => {
    let isBack = false;
    const member = memberWith({
      kill: async () => true,
      confirm: async () => 'killed',
      waitEnd: async () => true,
      isRunning: false,
      answers: async () => true,
      role: 'store',
      start: async () => {
        if (!isBack) throw new BootFailed('it', 'redis', 'ended with code 7', 6379);
      },
    });
    const states: string[] = [];
    const cluster = clusterWith({ members: [], member: () => member });
    const strike = new Strike(fault('k', 'kill', 'redis'), {
      ...stage(cluster, []).stage,
      onState: ({ state, record }) => states.push(`${state} ${record.notBack?.length ?? 0}`),
    });
    await strike.inject();
    await strike.heal(() => []);
    isBack = true;
    await strike.heal(() => []);
    await strike.heal(() => []);
    const expected = ['requested 0', 'confirmed 0', 'healing 0', 'not-healed 1', 'healing 0', 'healed 0'];
    expect(states).to.deep.equal(expected);
    expect(strike.record).to.not.have.property('problem');
  });

  it('waits for no healing when the lab ends with the signal', async () => {
    const member = memberWith({ kill: async () => true, confirm: () => new Promise(() => undefined) });
    const staged = stage(clusterWith({ members: [], member: () => member }), []);
    const strike = new Strike(fault('k', 'kill', 'redis'), { ...staged.stage, endsWithSignal: true });
    const injecting = strike.inject();
    staged.interrupt();
    await injecting;
    await strike.heal(() => []);
    expect(strike.state).to.equal('not-healed');
  });
});

describe('a member that does not come back', () => {
  const hang = () => fault('hang', 'hang', 'backend-1');
  const member = memberWith({
    resume: () => {
      throw new MemberNotBack('backend-1', 'ended with code 7 before it answered on port 1\n| no database');
    },
  });
  const cluster = clusterWith({ members: [member], member: () => member });
  const other = (target: string): FaultRecord => ({
    ...{ type: 'fault', id: 'other', fault: 'kill', target, requestedMs: 0, confirmedMs: 1, healedMs: null },
  });

  async function healedBeside(target?: string): Promise<FaultRecord> {
    const strike = new Strike(hang(), stage(cluster, []).stage);
    await strike.heal(() => (target === undefined ? [] : [other(target)]));
    return strike.record;
  }

  for (const target of [undefined, 'backend-2', 'proxy-1', 'proxy-1->backend-2', 'secrets'])
    it(`is a finding ${target === undefined ? 'without another fault' : `while a fault of ${target} is active`}`, async () => {
      const record = await healedBeside(target);
      const why = 'ended with code 7 before it answered on port 1\n| no database';
      expect(record.notBack).to.deep.equal([{ member: 'backend-1', why }]);
      expect(record).to.include({ healedMs: null }).and.not.have.property('problem');
    });

  for (const target of ['backend-1', 'proxy->backend-1', 'postgres', 'backend-2->redis', 'system'])
    it(`is no finding while a fault of ${target} may hold it down`, async () => {
      const record = await healedBeside(target);
      expect(record).to.not.have.property('notBack');
      expect(record.problem).to.match(/^not healed: backend-1 ended with code 7/);
      expect(record.problem).to.include(`(while kill of ${target} was in force)`);
    });

  it('stops neither the schedule nor the other faults', async () => {
    const { records } = await runFaults([hang(), { ...hang(), id: 'two' }], stage(cluster, []).stage);
    expect(records.map(({ id }) => id)).to.deep.equal(['hang', 'two']);
    expect(records.map(({ healedMs }) => healedMs)).to.deep.equal([null, null]);
  });
});

describe('the random choices of a fault', () => {
  /** Returns when 20 pieces leave a link with the jitter of this seed. */
  async function leaves(seed: number): Promise<readonly number[]> {
    const toxics: Toxic[] = [];
    const link = linkWith({ forward: none, back: none }, toxic => toxics.push(toxic));
    const replica = memberWith({ name: 'redis.replica-1', role: 'store', answers: async () => true });
    const cluster = clusterWith({ members: [replica], link: () => link });
    await runStrike(cluster, fault('slow', 'slow', feed, { latency: '90ms', jitter: '80ms' }), seed);
    return Array.from({ length: 20 }, () => toxics[0]?.leavesMs?.('forward', 1, 0) ?? Number.NaN);
  }

  it('follow the seed: the same seed gives the same jitter, another seed gives another', async () => {
    const first = await leaves(5);
    expect(await leaves(5)).to.deep.equal(first);
    expect(await leaves(6)).to.not.deep.equal(first);
  });

  it('are made once for each pause of a flapping backend', async () => {
    let draws = 0;
    let killed = 0;
    const member = memberWith({
      kill: async () => {
        killed += 1;
        return true;
      },
      waitEnd: async () => true,
      start: async () => undefined,
      answers: async () => true,
      role: 'store',
    });
    const cluster = clusterWith({ members: [member], member: () => member });
    let isEnough = (): void => undefined;
    const enough = new Promise<void>(resolve => {
      isEnough = resolve;
    });
    const flapping = flap.make('backend-1', { up: '1ms', down: '1ms' }, () => {
      draws += 1;
      if (draws === 9) isEnough();
      return 0;
    });
    await flapping.inject(cluster);
    await enough;
    await flapping.heal(cluster);
    // The pauses: after the first kill, then after each start and kill in turn.
    expect([killed, draws]).to.deep.equal([5, 9]);
  });
});

describe('an end by SIGTERM', () => {
  for (const [exit, words, isClean] of [
    [{ code: 0, signal: null }, 'ended with code 0', true],
    [{ code: null, signal: 'SIGTERM' }, 'ended by SIGTERM', true],
    [{ code: 143, signal: null }, 'ended with code 143', true],
    [{ code: 1, signal: null }, 'ended with code 1', false],
    [{ code: 137, signal: null }, 'ended with code 137', false],
    [{ code: null, signal: 'SIGKILL' }, 'ended by SIGKILL', false],
  ] as const)
    it(`is ${isClean ? '' : 'not '}clean when the process ${words}`, () => {
      expect(describeExit(exit)).to.equal(words);
      expect(isCleanEnd(exit)).to.equal(isClean);
    });
});
