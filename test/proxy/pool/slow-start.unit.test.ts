import { expect } from 'chai';
import type { Member } from '#src/proxy/pool/member.js';
import { BackendPool } from '#src/proxy/pool/pool.js';
import { computePart } from '#src/proxy/pool/timed-states.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';

describe('slow start', () => {
  const parts: readonly (readonly [what: string, nowMs: number, slowStartMs: number, part: number])[] = [
    ['begins with a tenth', 1000, 30_000, 0.1],
    ['is half way up after half of the time', 16_000, 30_000, 0.55],
    ['grows linearly', 23_500, 30_000, 0.775],
    ['ends after its duration', 31_000, 30_000, 1],
    ['stays ended', 1e12, 30_000, 1],
    ['ends when the clock is set back', 999, 30_000, 1],
    ['is off with a duration of 0', 1000, 0, 1],
  ];
  for (const [what, nowMs, slowStartMs, part] of parts) {
    it(what, () => expect(computePart(nowMs, 1000, slowStartMs)).to.be.closeTo(part, 1e-9));
  }

  const steps: Record<string, (pool: BackendPool, member: Member) => void> = {
    down: (pool, member) => pool.down(member, 'test'),
    up: (pool, member) => pool.up(member, 'test'),
    'boot a': (_, member) => member.learn('a'),
    'boot b': (_, member) => member.learn('b'),
    ejected: (_, member) => member.eject(true, 'test'),
    pardoned: (_, member) => member.eject(false, 'test'),
    maint: (pool, member) => pool.obey(member, 'maint'),
    drain: (pool, member) => pool.obey(member, 'drain'),
    ready: (pool, member) => pool.obey(member, 'ready'),
    suspect: (pool, member) => pool.suspect(member),
    cleared: (_, member) => {
      member.suspect = false;
    },
  };
  /** The history of a backend that was ready from the start, and whether a slow start follows. */
  const histories: Record<string, readonly [history: readonly string[], slowly: boolean]> = {
    'nothing happens': [[], false],
    'it fails and returns': [['down', 'up'], true],
    'it is another boot': [['boot a', 'boot b'], true],
    'it names its boot for the first time': [['boot a'], false],
    'it was ejected': [['ejected', 'pardoned'], true],
    'it was in maintenance': [['maint', 'ready'], true],
    'a drain was cancelled': [['drain', 'ready'], false],
    'it failed during a drain that was cancelled': [['drain', 'down', 'up', 'ready'], true],
    'it was suspected, and nothing was found': [['suspect', 'cleared'], false],
  };
  for (const [what, [history, slowly]] of Object.entries(histories)) {
    it(`${slowly ? 'begins' : 'does not begin'} when ${what}`, () =>
      withPool(({ pool }) => {
        const member = pool.add(url, { weight: 4 });
        pool.up(member, 'test');
        for (const step of history) steps[step]?.(pool, member);
        expect(pool.view(member)).to.include({ state: 'ready', weight: 4 });
        expect(member.share).to.be.closeTo(slowly ? 0.4 : 4, 1e-9);
      }));
  }

  it('begins when a backend joins a serving proxy, and when one was down from the start', () =>
    withPool(({ pool }) => {
      const joined = pool.add(url, { joins: true });
      const late = pool.add(url);
      pool.down(late, 'test');
      for (const member of [joined, late]) {
        pool.up(member, 'test');
        expect(member.share, member.name).to.equal(0.1);
      }
    }));

  it('progresses with time, and follows a changed weight', () =>
    withPool(scene => {
      const { pool } = scene;
      const member = pool.add(url, { joins: true });
      pool.up(member, 'test');
      scene.nowMs += 500;
      expect(pool.candidates([])[0]?.share).to.be.closeTo(0.55, 1e-9);
      member.weight = 100;
      expect(member.share).to.be.closeTo(55, 1e-9);
      scene.nowMs += 500;
      expect(pool.candidates([])[0]?.share).to.equal(100);
    }));

  it('restarts when the backend fails before it ends', () =>
    withPool(scene => {
      const { pool } = scene;
      const member = pool.add(url, { joins: true });
      pool.up(member, 'test');
      scene.nowMs += 900;
      pool.down(member, 'test');
      pool.up(member, 'test');
      scene.nowMs += 500;
      expect(pool.view(member).share).to.be.closeTo(0.55, 1e-9);
    }));
});

describe('weight', () => {
  it('0 takes nothing new, not even as a last resort', () =>
    withPool(({ pool }) => {
      const [one, two] = [pool.add(url, { weight: 0 }), pool.add(url)];
      for (const member of [one, two]) pool.up(member, 'test');
      expect(pool.candidates([])).to.deep.equal([two]);
      expect(pool.candidates([two])).to.deep.equal([]);
      expect(one.keepsBound).to.equal(true);
      one.weight = 1;
      expect(pool.candidates([])).to.deep.equal([one, two]);
      one.weight = 0;
      expect(pool.candidates([])).to.deep.equal([two]);
    }));
});

const url = new URL('http://127.0.0.1:3000');

interface Scene {
  nowMs: number;
  readonly pool: BackendPool;
}

function withPool(use: (scene: Scene) => void): void {
  const scene: Scene = {
    nowMs: 1000,
    pool: new BackendPool({
      drainMs: 60_000,
      ejection: defaultProxyOptions.ejection,
      boundIdleMs: 1000,
      slowStartMs: 1000,
      now: () => scene.nowMs,
      random: () => 0,
      onEvent: () => {},
      onSuspect: () => {},
    }),
  };
  try {
    use(scene);
  } finally {
    scene.pool.close();
  }
}
