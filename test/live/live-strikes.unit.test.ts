import { expect } from 'chai';
import { LiveRun } from '#src/live/live-run.js';
import { LiveStrikes } from '#src/live/live-strikes.js';
import type { Cluster, ClusterMember } from '#src/simulator/cluster/cluster.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { BootFailed } from '#src/simulator/errors.js';
import { stage } from '../simulator/faults/fault-stage.js';
import { labScenario } from './lab-scenario.js';

/** Creates a cluster of two stores. The second one boots only while the first one runs. */
function twoStores(): Cluster {
  const running = new Set(['redis', 'memcached']);
  const memberOf = (name: string): ClusterMember => {
    const member = {
      ...{ name, role: 'store', port: 1 },
      get isRunning() {
        return running.has(name);
      },
      kill: async () => running.delete(name),
      confirm: async () => 'ended by SIGKILL',
      waitEnd: async () => true,
      answers: async () => running.has(name),
      start: async () => {
        if (name === 'memcached' && !running.has('redis')) throw new BootFailed('it', name, 'found no redis', 11211);
        running.add(name);
      },
    };
    return member as unknown as ClusterMember;
  };
  const members = [...running].map(memberOf);
  const member = (name: string) => members.find(one => one.name === name) ?? expect.fail(name);
  return { members, member } as unknown as Cluster;
}

/** Creates a cluster with the link from a backend to a store. While the link is disturbed, it swallows every byte. */
function oneLink(): Cluster {
  let isCut = false;
  const traffic = { forward: { swallowedBytes: 0 }, back: { swallowedBytes: 0 } };
  const disturb = async () => {
    isCut = true;
    return async () => {
      isCut = false;
    };
  };
  const answers = async (_withinMs: number, port?: number) => {
    if (port === undefined || !isCut) return true;
    traffic.forward.swallowedBytes += 1;
    return false;
  };
  const member = { name: 'redis', role: 'store', port: 1, isRunning: true, answers };
  const link = { port: 2, toPort: 1, traffic, disturb };
  return { members: [member], member: () => member, link: () => link } as unknown as Cluster;
}

describe('a side whose mode cannot have a fault of the scenario', () => {
  it('says which fault it leaves out, and why', () => {
    const faults = [
      { id: 'kill-one', at: '0s', do: 'kill', target: 'backend-1' },
      { id: 'outage', at: '0s', do: 'kill', target: 'redis' },
      { id: 'store-outage', at: '1s', do: 'kill', target: 'store' },
      { id: 'new-keys', at: '1s', do: 'rotate-secrets', target: 'secrets' },
    ];
    const { signal } = new AbortController();
    const noteOf = (mode: 'sticky' | 'redis') =>
      new LiveRun({ scenario: labScenario({ faults, modes: ['redis'] }), mode, seed: 42, users: 8, signal }).view()
        .note;
    expect(noteOf('sticky')?.split('. ')).to.deep.equal([
      'The fault "outage" of the scenario is left out: it strikes redis, and mode sticky uses no redis',
      'The fault "store-outage" of the scenario is left out: it strikes store, and mode sticky uses no store server of its own',
      'The fault "new-keys" of the scenario is left out: it strikes secrets, and mode sticky signs no session: its cookie is an id.',
    ]);
    expect(noteOf('redis')).to.match(/^The fault "new-keys" [^.]+\.$/);
  });

  it('leaves out packets in every mode, because a browser could not reach its page', () => {
    const faults = [{ id: 'drop', at: '0s', do: 'drop', target: 'proxy->backend-1' }];
    const { signal } = new AbortController();
    const side = new LiveRun({ scenario: labScenario({ faults }), mode: 'redis', seed: 42, users: 8, signal });
    expect(side.view().note).to.match(
      /^The fault "drop" .* and "drop" needs a network of the lab's own, which a browser/,
    );
  });
});

describe('the strikes of a side', () => {
  it('are healed later when another strike had held them up, and say so', async () => {
    const states = new Map<string, string>();
    const strikes = new LiveStrikes(labScenario(), 'redis', {
      ...stage(twoStores(), []).stage,
      proxies: ['proxy'],
      startMs: 0,
      onState: ({ record, state }) => states.set(record.id, state),
    });
    const kill = (target: string) => strikes.strike({ fault: 'kill', target, options: {} });
    expect(await kill('redis')).to.equal(undefined);
    expect(await kill('memcached')).to.equal(undefined);
    const problem = await strikes.heal('memcached');
    expect(problem).to.match(/^not healed: memcached found no redis \(while kill of redis was in force\)/);
    expect(problem).to.match(/Still active: kill of redis$/);
    expect(states.get('kill-memcached')).to.equal('not-healed');
    expect(await strikes.heal('redis')).to.equal(undefined);
    expect(await waitUntil(async () => states.get('kill-memcached') === 'healed', 1_000)).to.equal(true);
    expect(await strikes.heal('memcached')).to.equal('no strike on memcached is active');
  });

  for (const member of ['redis', 'backend-1']) {
    it(`are healed with ${member} when it is an end of the link that was struck`, async () => {
      const strikes = new LiveStrikes(labScenario(), 'redis', {
        ...stage(oneLink(), []).stage,
        proxies: ['proxy'],
        startMs: 0,
      });
      expect(await strikes.strike({ fault: 'cut-link', target: 'backend-1->redis', options: {} })).to.equal(undefined);
      expect(await strikes.heal('memcached')).to.equal('no strike on memcached is active');
      expect(await strikes.heal(member)).to.equal(undefined);
      expect(await strikes.heal(member)).to.equal(`no strike on ${member} is active`);
    });
  }

  it('have ids that differ, and that a scenario file accepts', async () => {
    const ids = new Set<string>();
    const faults = [{ id: 'kill-redis', at: '0s', do: 'kill', target: 'backend-1' }];
    const strikes = new LiveStrikes(labScenario({ faults }), 'redis', {
      ...stage(twoStores(), []).stage,
      proxies: ['proxy'],
      startMs: 0,
      onState: ({ record }) => ids.add(record.id),
    });
    for (let times = 1; times <= 2; times += 1) {
      await strikes.strike({ fault: 'kill', target: 'redis', options: {} });
      await strikes.heal('redis');
    }
    expect([...ids]).to.deep.equal(['kill-redis-2', 'kill-redis-3']);
  });
});
