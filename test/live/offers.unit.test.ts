import { expect } from 'chai';
import { aimFault, memberOf, offersOf, type StruckSystem } from '#src/live/offers.js';
import { type ModeName, modeNames } from '#src/modes.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { exampleOptions, listLinks } from '#src/simulator/scenario/applicable-faults.js';
import { describeOptions, readOptions } from '#src/simulator/scenario/fault-options.js';
import { labScenario } from './lab-scenario.js';

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
