import { expect } from 'chai';
import { LiveRun } from '#src/live/live-run.js';
import { aimFault, LiveStrikes, memberOf, offersOf, type StruckSystem } from '#src/live/live-strikes.js';
import { type ModeName, modeNames } from '#src/modes.js';
import type { Cluster, ClusterMember } from '#src/simulator/cluster/cluster.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { BootFailed } from '#src/simulator/errors.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { describeOptions, exampleOptions, listLinks, readOptions } from '#src/simulator/scenario/applicable-faults.js';
import { stage } from '../simulator/faults/fault-stage.js';
import { labScenario } from './lab-scenario.js';

/** Creates a cluster of two stores. The second one boots only while the first one runs. */
function twoStores(): Cluster {
  const running = new Set(['redis', 'memcached']);
  const makeMember = (name: string): ClusterMember => {
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
  const members = [...running].map(makeMember);
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

const replicated = { redis: { replicas: 1, persistence: 'aof' } };

/** Returns a system with a spare backend-4 of which everything but `dead` runs. */
function struckSystem(mode: ModeName, { stores = {}, dead = ['backend-4'], struck = [''] } = {}): StruckSystem {
  const { system: parsed } = labScenario({ system: { backends: { count: 3, spare: 1 }, ...stores } });
  const system = { ...parsed, isRunning: false, backends: { count: 3, spare: 1 } };
  const members = ['proxy', 'backend-1', 'backend-2', 'backend-3', 'backend-4', ...storeMembers(mode, stores)];
  return {
    mode,
    system,
    running: new Set(members.filter(name => !dead.includes(name))),
    links: new Set(listLinks(mode, system, [])),
    roles: new Map(),
    struck: new Set(struck),
  };
}

function storeMembers(mode: ModeName, stores: object): string[] {
  if (mode === 'sticky') return [];
  if (mode === 'memcached' || mode === 'postgres') return [mode];
  return 'redis' in stores ? ['redis.primary', 'redis.replica-1'] : ['redis'];
}

function offered(struck: StruckSystem): string[] {
  return offersOf(struck).flatMap(({ target, faults: some }) => some.map(({ name }) => `${name} ${target}`));
}

describe('the offers of the live lab', () => {
  it('hold every fault of the registry in some mode, but never commands, and no packets of an unreachable lab', () => {
    const systems = modeNames.flatMap(mode => [struckSystem(mode), struckSystem(mode, { stores: replicated })]);
    const names = new Set(systems.flatMap(offered).map(offer => offer.split(' ')[0]));
    expect([...names]).to.have.members(
      Object.keys(faults).filter(name => name !== 'exec' && !faults[name]?.needsOwnNetwork),
    );
    const refused = aimFault('drop', 'proxy->backend-1', {}, struckSystem('sticky'));
    expect(refused).to.match(/^"drop" needs a network of the lab's own, which a browser cannot reach/);
  });

  it('name no store, link or key that the mode does not have', () => {
    const targets = offersOf(struckSystem('sticky')).map(({ target }) => target);
    expect(targets).to.have.members([
      ...['proxy', 'backends', 'backend-1', 'backend-2', 'backend-3', 'backend-4'],
      ...['proxy->backend-1', 'proxy->backend-2', 'proxy->backend-3'],
    ]);
    expect(offersOf(struckSystem('redis')).map(({ target }) => target)).to.include.members([
      'redis',
      'backend-1->redis',
    ]);
    expect(offersOf(struckSystem('jwt')).map(({ target }) => target)).to.include('secrets');
  });

  it('start a member that does not run, and strike only members that do', () => {
    const struck = struckSystem('redis', { dead: ['backend-2', 'backend-4'] });
    const own = offered(struck).filter(offer => /backend-2|backend-4/.test(offer));
    expect(own).to.have.members(['scale-out backend-2', 'scale-out backend-4']);
    expect(offered(struck)).to.include('kill backend-1').and.not.include('scale-out backend-1');
  });

  it('do not start a member on which a strike is active: healing starts it', () => {
    const struck = struckSystem('redis', { dead: ['backend-2', 'backend-4'], struck: ['backend-2'] });
    expect(offered(struck)).to.include('scale-out backend-4').and.not.include('scale-out backend-2');
    expect(aimFault('scale-out', 'backend-2', {}, struck)).to.equal('a strike on backend-2 is active: heal it first');
  });

  it('name the box of each target', () => {
    const boxes = offersOf(struckSystem('jwt', { stores: replicated })).map(({ target, member }) => [target, member]);
    expect(Object.fromEntries(boxes)).to.include({
      'backend-2': 'backend-2',
      'proxy->backend-2': 'backend-2',
      'backend-2->redis': 'backend-2',
      'redis.primary->redis.replica-1': 'redis.replica-1',
      'redis.replica-1': 'redis.replica-1',
      secrets: 'proxy',
    });
    expect(memberOf('secrets', ['proxy-1', 'proxy-2'])).to.equal('proxy-1');
  });

  it('leave out a link of replication whose first end is no primary any more', () => {
    const struck = struckSystem('redis', { stores: replicated });
    const link = 'redis.primary->redis.replica-1';
    expect(offersOf(struck).map(({ target }) => target)).to.include(link);
    const roles = new Map([['redis.primary', 'replica']]);
    expect(offersOf({ ...struck, roles }).map(({ target }) => target)).to.not.include(link);
  });

  it('leave out a store that the lab does not start', () => {
    const struck = struckSystem('redis', { dead: ['redis', 'backend-4'] });
    const links = new Set(listLinks('redis', struck.system, ['redis']));
    expect(offered({ ...struck, links }).filter(offer => offer.includes('redis'))).to.deep.equal([]);
  });

  for (const [name, { options }] of Object.entries(faults).filter(([fault]) => fault !== 'exec'))
    it(`have an example for every option of ${name} that its schema accepts, except a map`, () => {
      const all = describeOptions(options).map(({ name: option, example, type }) => [
        option,
        type === 'number' ? Number(example) : example,
      ]);
      expect(readOptions(options, Object.fromEntries(all))).to.be.an('object');
      expect(describeOptions(options).map(({ name: option }) => option)).to.deep.equal(
        Object.keys(options).filter(option => option !== 'to'),
      );
    });
});

describe('a command to strike', () => {
  const struck = struckSystem('redis');
  const problemOf = (fault: string, target: string, options = {}): unknown => aimFault(fault, target, options, struck);

  for (const [what, fault, target, options, problem] of [
    ['an unknown fault', 'kil', 'backend-1', {}, /^unknown fault "kil"\. Did you mean "kill"\?/],
    ['a fault with the name of a property of every object', 'constructor', 'backend-1', {}, /^unknown fault "const/],
    ['an unknown target', 'kill', 'backend-9', {}, /^unknown target "backend-9"/],
    ['a store of another mode', 'kill', 'memcached', {}, /^mode redis uses no memcached$/],
    ['a target of another kind', 'pause', 'backend-1', {}, /^found the backend backend-1, expected a store/],
    ['a fault that the target does not know', 'promote', 'redis', {}, /^found "redis", expected a replica/],
    ['a missing option', 'slow', 'proxy->backend-1', {}, /^option latency: expected a duration from 1ms to 30s/],
    ['a wrong option', 'slow', 'proxy->backend-1', { latency: 7 }, /^option latency: found 7, expected a duration/],
    ['an unknown option', 'kill', 'backend-1', { hard: true }, /^found the option "hard", expected none$/],
    ['options that do not fit', 'block', 'backend-1', { stall: '2s', every: '1s' }, /^found a stall of 2000ms every/],
    ['a member that does not run', 'kill', 'backend-4', {}, /^backend-4 is not running$/],
    ['a start of a member that runs', 'scale-out', 'backend-1', {}, /^backend-1 is already running$/],
    ['a choice by chance', 'kill', 'backend-any', {}, /^found "backend-any", expected one backend/],
    ['commands', 'exec', 'system', { inject: 'true', confirm: 'true' }, /^"exec" runs commands/],
  ] as const)
    it(`is refused in words: ${what}`, () => {
      expect(problemOf(fault, target, options)).to.match(problem);
    });

  it('can name the store of the mode', () => {
    expect(problemOf('pause', 'store', { length: '1s' })).to.deep.equal({
      fault: 'pause',
      target: 'redis',
      options: { length: '1s' },
    });
  });

  it('can give a list as a text with commas', () => {
    const given = { 'for-backends': 'backend-1, backend-2' };
    const aimed = aimFault('promote', 'redis.replica-1', given, struckSystem('redis', { stores: replicated }));
    expect(aimed).to.deep.include({ options: { 'for-backends': ['backend-1', 'backend-2'] } });
  });

  it('accepts the examples of the required options', () => {
    expect(exampleOptions('errors')).to.deep.equal({ percent: 50 });
    expect(problemOf('errors', 'backend-1', exampleOptions('errors'))).to.be.an('object');
  });
});
