import { expect } from 'chai';
import fc from 'fast-check';
import type { Exchange, Outcome } from '#src/proxy/exchange.js';
import type { ProxyEvent } from '#src/proxy/options.js';
import type { Member, MemberFacts } from '#src/proxy/pool/member.js';
import { BackendPool } from '#src/proxy/pool/pool.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';

const exchange: Exchange = {
  method: 'GET',
  path: '/',
  clientAddress: '127.0.0.1',
  host: undefined,
  bytesIn: 0,
  bytesOut: 0,
  secure: false,
  upgrade: false,
  replayable: true,
  cookie: () => undefined,
  header: () => undefined,
  send: () => Promise.reject(new Error('not sent here')),
  breakOff: () => {},
  endTunnel: () => {},
  refuse: () => {},
};

const outcomes: readonly Outcome[] = [
  { kind: 'answered', status: 200 },
  { kind: 'answered', status: 500 },
  { kind: 'refused', reason: 'connection_refused' },
  { kind: 'broken-off', reason: 'connection_terminated' },
  { kind: 'abandoned' },
];

interface Open {
  readonly member: Member;
  readonly slot: number;
}

/** A pool, its exchanges in flight, and its events. */
class Scene {
  nowMs = 6_000_000;
  readonly events: ProxyEvent[] = [];
  readonly open: Open[] = [];
  readonly pool = new BackendPool({
    drainMs: 60_000,
    ejection: defaultProxyOptions.ejection,
    boundIdleMs: 1000,
    slowStartMs: 1000,
    now: () => this.nowMs,
    random: () => 0,
    onEvent: event => this.events.push(event),
    onSuspect: () => {},
    onFacts: ({ facts }) => this.follow(structuredClone(facts)),
  });
  /** A pool as in a worker: it knows only the facts that it is sent. */
  readonly follower = new BackendPool({
    drainMs: 0,
    ejection: defaultProxyOptions.ejection,
    boundIdleMs: 1000,
    slowStartMs: 1000,
    now: () => this.nowMs,
    random: () => 0,
    onEvent: () => {},
    onSuspect: () => {},
  });

  follow(facts: MemberFacts): void {
    const { name, url } = facts;
    this.follower.adopt(this.follower.find(name) ?? this.follower.add(new URL(url), { name }), facts);
  }
}

type Step = (scene: Scene, member: Member) => void;

const steps: Readonly<Record<string, Step>> = {
  drain: ({ pool }, member) => pool.obey(member, 'drain'),
  maint: ({ pool }, member) => pool.obey(member, 'maint'),
  ready: ({ pool }, member) => pool.obey(member, 'ready'),
  up: ({ pool }, member) => pool.up(member, 'test'),
  down: ({ pool }, member) => pool.down(member, 'test'),
  remove: ({ pool }, member) => void pool.remove(member.name),
  add: ({ pool }) => void pool.add(new URL('http://127.0.0.1:3000'), { joins: true }),
  weigh: ({ pool, nowMs }, member) => pool.weigh(member, (nowMs / 600) % 3),
  'probe fails': (_, member) => {
    member.suspect = true;
  },
  reborn: ({ events }, member) => member.learn(`boot-${events.length}`),
  bind: scene => scene.pool.members[0]?.bound.see(String(scene.nowMs), scene.nowMs),
  wait: scene => {
    scene.nowMs += 600;
  },
  begin: ({ pool, open }, member) => void open.push({ member, slot: pool.begin(member, exchange) }),
  ...Object.fromEntries(
    outcomes.map((outcome): [string, Step] => [
      `end ${JSON.stringify(outcome)}`,
      ({ pool, open }) => {
        const ended = open.shift();
        if (ended !== undefined) pool.end(ended.member, ended.slot, outcome);
      },
    ]),
  ),
  fail: ({ pool }, member) => {
    for (let i = 0; i < 5; i += 1) pool.end(member, pool.begin(member, exchange), { kind: 'answered', status: 500 });
  },
};

function timers(): number {
  return process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length;
}

function check({ pool, follower, open }: Scene): void {
  const ready = pool.members.filter(({ state, weight }) => state === 'ready' && weight > 0);
  const sound = ready.filter(({ suspect }) => !suspect);
  expect(pool.candidates([])).to.deep.equal(sound.length > 0 ? sound : ready);
  const someEjected = pool.members.some(({ state }) => state === 'ejected');
  const weighty = pool.members.filter(({ weight }) => weight > 0);
  if (someEjected) expect(ready.length).to.be.at.least(weighty.length / 2);
  for (const member of pool.members) {
    expect(member.keepsBound).to.equal(member.state !== 'down' && !(member.state === 'draining' && member.windowOver));
    expect(pool.view(member).share).to.be.within(member.weight / 10, member.weight);
    if (member.drained) expect(member.order).to.equal('drain');
    if (member.windowOver) expect(member.drained).to.equal(true);
    if (member.state === 'draining') expect(member.order).to.equal('drain');
    const twin = follower.find(member.name);
    if (twin !== undefined) {
      expect(twin.facts).to.deep.equal(member.facts);
      expect([twin.state, twin.keepsBound]).to.deep.equal([member.state, member.keepsBound]);
      expect(follower.view(twin).share).to.equal(pool.view(member).share);
    }
    expect(member.inFlight.size).to.equal(open.filter(each => each.member === member).length);
  }
}

/** Checks that each change of state begins in the state in which the previous one ended. */
function checkEvents(events: readonly ProxyEvent[]): void {
  const states = new Map<string, string>();
  for (const event of events) {
    if (event.kind !== 'backend') continue;
    expect(event.from).to.equal(states.get(event.backend) ?? 'down');
    expect(event.to).to.not.equal(event.from);
    states.set(event.backend, event.to);
  }
}

describe('pool: any order of what can happen', () => {
  const step = fc.record({ what: fc.constantFrom(...Object.keys(steps)), which: fc.nat(5) });

  it('gives a worker the same pool, offers only ready members, reports only transitions, never reopens a drain, and leaves no timer', () => {
    const before = timers();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), sequence => {
        const scene = new Scene();
        for (let i = 0; i < 3; i += 1) scene.pool.up(scene.pool.add(new URL('http://127.0.0.1:3000')), 'test');
        for (const { what, which } of sequence) {
          const { members } = scene.pool;
          const member = members[which % members.length];
          const drained = member?.drained;
          if (member !== undefined) steps[what]?.(scene, member);
          if (drained && !['drain', 'maint', 'ready'].includes(what)) expect(member?.drained).to.equal(true);
          check(scene);
        }
        checkEvents(scene.events);
        scene.pool.close();
        scene.follower.close();
        expect(timers()).to.equal(before);
      }),
      { numRuns: 500 },
    );
  });
});
