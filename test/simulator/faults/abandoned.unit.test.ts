import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Cluster } from '#src/simulator/cluster/cluster.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';

/** A cluster that records what is asked of it. `late` is answered only when the test says so, as a slow command is. */
function slowCluster(late: string) {
  const asked: string[] = [];
  let answer: () => void = () => undefined;
  const told = new Promise<void>(resolve => (answer = resolve));
  const call = async <T>(what: string, result: T): Promise<T> => {
    asked.push(what);
    if (what === late) await told;
    return result;
  };
  const member = {
    name: 'member-1',
    role: 'store',
    isRunning: true,
    kill: () => call('kill', true),
    start: () => call('start', undefined),
    answers: () => call('answers', true),
    waitEnd: async () => true,
  };
  const deployer = {
    versions: () => call('versions', new Map([['pod-1', 'A']])),
    rollOut: () => call('rollOut', undefined),
    rollBack: () => call('rollBack', undefined),
  };
  return { cluster: { member: () => member, deployer } as unknown as Cluster, asked, answer };
}

describe('an injection that was abandoned before its first command ended', () => {
  for (const [action, target, late, options] of [
    ['flap', 'member-1', 'kill', { up: '1ms', down: '1ms' }],
    ['deploy', 'backends', 'versions', {}],
  ] as const)
    it(`does nothing more after the healing: ${action}`, async () => {
      const { cluster, asked, answer } = slowCluster(late);
      const fault = faults[action]?.make(target, options) ?? expect.fail(action);
      const injecting = fault.inject(cluster).catch(() => undefined);
      await fault.heal(cluster);
      const before = [...asked];
      answer();
      await injecting;
      try {
        await sleep(20); // a flap would strike again within 3 ms
        expect(asked).to.deep.equal(before);
      } finally {
        await fault.heal(cluster); // ends what went on
      }
    });
});
