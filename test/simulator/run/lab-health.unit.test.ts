import { expect } from 'chai';
import type { Cluster, ShopCounts } from '#src/simulator/cluster/cluster.js';
import { LabHealth, subtractCounts } from '#src/simulator/run/lab-health.js';

function clusterOf(members: Readonly<Record<string, () => Promise<ShopCounts | undefined>>>): Pick<Cluster, 'members'> {
  const list = Object.entries(members).map(([name, counts]) => ({ name, counts }));
  return { members: list } as unknown as Cluster;
}

const driver = {
  lab: () => ({
    ...{ type: 'lab' as const, lagMs: { p50: 1, p99: 2, max: 3 } },
    ...{ dropped: 2, droppedMs: [100, 900], droppedWaitMs: [5, 6] },
  }),
};

describe('the health of a lab whose run has no planned end', () => {
  it('has the counts of each member and the busy time of the processors, as a run has', async () => {
    const hangs = () => new Promise<undefined>(() => undefined);
    const answers = async () => ({ opened: 7, unknown: 3 });
    const health = new LabHealth(clusterOf({ 'backend-1': answers, redis: async () => ({ evictions: 2 }) }), driver);
    await health.close();
    const { counts, busyMs, ...lab } = health.record();
    expect(counts).to.deep.equal({ 'backend-1': { opened: 7, unknown: 3 }, redis: { evictions: 2 } });
    expect(busyMs).to.be.a('number');
    expect(lab).to.deep.equal(driver.lab());
    const beganMs = performance.now();
    await new LabHealth(clusterOf({ 'backend-1': hangs }), driver).close();
    expect(performance.now() - beganMs, 'a member that hangs').to.be.below(1_000);
  });

  it('forgets the counts and the drops from before the counters were cleared', async () => {
    let unknown = 3;
    const health = new LabHealth(clusterOf({ 'backend-1': async () => ({ unknown }) }), driver);
    health.clear(500);
    await new Promise(resolve => setImmediate(resolve));
    unknown = 4;
    await health.close();
    expect(health.record()).to.deep.include({ counts: { 'backend-1': { unknown: 1 } }, dropped: 1, droppedMs: [900] });
  });
});

describe('the counts of members since an earlier moment', () => {
  it('are differences, but all of them for a member that was started again, and the largest value stays', () => {
    const before = { 'backend-1': { opened: 5, unknown: 2, atOnceMax: 9 }, 'backend-2': { opened: 5, unknown: 2 } };
    const now = { 'backend-1': { opened: 8, unknown: 2, atOnceMax: 9 }, 'backend-2': { opened: 1, unknown: 6 } };
    expect(subtractCounts({ ...now, redis: { evictions: 1 } }, before)).to.deep.equal({
      'backend-1': { opened: 3, unknown: 0, atOnceMax: 9 },
      'backend-2': { opened: 1, unknown: 6 },
      redis: { evictions: 1 },
    });
  });
});
