import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import type { FaultRecord, MemberRecord } from '#src/simulator/history/records.js';
import { runOf, user } from './histories.js';
import { b1, b2, type Case, runWith, system, twoProxies } from './struck-runs.js';

describe('exposed users', () => {
  const cases: readonly (readonly [
    name: string,
    history: Case['histories'][number],
    struck: Partial<FaultRecord>,
    exposed: number,
  ])[] = [
    ['users whose last answer came from the struck member', ['@10-15 login', b1], {}, 1],
    ['not users whose last answer came from another member', ['@10-15 login, @20-25 whoami', b1, b2], {}, 0],
    [
      'not users who reached the struck member only after the healing',
      ['@10-15 login, @2300-2305 whoami', b2, b1],
      {},
      0,
    ],
    ['users that the struck member answered during the fault', ['@10-15 login, @1200-1205 whoami', b2, b1], {}, 1],
    ['not users whose request to the struck member got no answer', ['@10-15 login, @900-905 whoami!', b2, b1], {}, 0],
    ['users of the backend, for a link to it', ['@10-15 login', b1], { target: 'proxy->backend-1' }, 1],
    [
      'not users of other backends, for a link from a backend to a store',
      ['@10-15 login', b2],
      { target: 'backend-1->redis' },
      0,
    ],
    ['all users, for a store', ['@10-15 login', b2], { target: 'redis' }, 1],
    ['all users, for the only proxy', ['@10-15 login', b2], { target: 'proxy' }, 1],
    ['all users, for the key ring', ['@10-15 login', b2], { target: 'secrets' }, 1],
    ['all users, for a command', ['@10-15 login', b2], { target: 'system' }, 1],
    [
      'users that it answered during the fault, although a later request was answered before the fault',
      ['@10-15 login, @900-1200 whoami, @950-960 whoami', b2, b1, b2],
      {},
      1,
    ],
    [
      'not users whose last request before the fault went to another member, although an earlier one ended later',
      ['@10-15 login, @800-950 whoami, @850-900 whoami', b2, b1, b2],
      {},
      0,
    ],
    [
      'users whose last answer is long ago, when some request took long',
      ['@10-15 login, @20-25 whoami, @3000-3900 whoami', b2, b1, b2],
      {},
      1,
    ],
    ['not users who arrived later', ['@2300-2305 login', b1], { target: 'redis' }, 0],
  ];
  for (const [name, history, struck, exposed] of cases) {
    it(`are ${name}`, () => {
      const findings = check(runWith({ histories: [history], struck }));
      expect(findings.users.exposed).to.equal(exposed);
      expect(findings.faults[0]?.exposed).to.equal(exposed);
    });
  }

  it('are the users of the struck proxy, when there are two proxies', () => {
    const histories = [
      ['@10-15 login', { proxy: 'proxy-1' }],
      ['@10-15 login', { proxy: 'proxy-2' }],
    ] as const;
    const { users } = check(runWith({ histories, struck: { target: 'proxy-1' }, system: twoProxies }));
    expect(users).to.include({ total: 2, exposed: 1 });
  });

  it('do not include users who were logged out without any fault', () => {
    const histories = [
      ['@10-15 login, @1200-1205 whoami anonymous', b1, b2],
      ['@10-15 login, @1200-1205 whoami anonymous', b2, b2],
    ] as const;
    expect(check(runWith({ histories, struck: {} })).users).to.include({
      loggedOut: 2,
      exposed: 1,
      loggedOutUnexposed: 1,
    });
  });

  it('are null when no fault struck', () => {
    expect(check(runOf(user('ann', 'login, whoami anonymous'))).users).to.include({
      exposed: null,
      loggedOutUnexposed: 0,
    });
  });
});

describe('members', () => {
  const histories = [['@10-15 login, @20-25 whoami, @2300-2305 whoami, @2400-2405 whoami!', b1, b2, b2, b1]] as const;

  it('are listed with their good answers, including members without any', () => {
    expect(check(runWith({ histories, struck: {} })).members.answered).to.deep.equal({
      'backend-1': 1,
      'backend-2': 2,
    });
  });

  it('are ejected at the end if the proxy has not readmitted them', () => {
    const members: MemberRecord[] = [
      { type: 'member', member: b1, atMs: 500, state: 'ejected' },
      { type: 'member', member: b2, atMs: 500, state: 'ejected' },
      { type: 'member', member: b2, atMs: 900, state: 'up' },
    ];
    expect(check(runWith({ histories, struck: {}, members })).members.ejectedAtEnd).to.deep.equal([b1]);
  });

  const up: MemberRecord[] = [{ type: 'member', member: b1, atMs: 2200, state: 'up' }];
  const arrivals = (count: number) =>
    Array.from({ length: count }, (_, i) => [`@${2300 + i}-${2305 + i} login`, b2] as const);

  it('are idle after the healing if enough unbound users arrived and none reached them', () => {
    const idle = (count: number) =>
      check(runWith({ histories: arrivals(count), struck: {}, members: up })).members.idleAfterHealing;
    expect(idle(4)).to.deep.equal([b1]);
    expect(idle(3)).to.deep.equal([]);
  });

  it('are not idle if no answer of the run names a backend', () => {
    const unnamed = arrivals(4).map(([line]) => [line] as const);
    expect(check(runWith({ histories: unnamed, struck: {}, members: up })).members.idleAfterHealing).to.deep.equal([]);
  });

  it('are not idle if all users are bound to other backends', () => {
    const bound = Array.from({ length: 4 }, () => ['@10-15 login, @2300-2305 whoami', b2, b2] as const);
    expect(check(runWith({ histories: bound, struck: {}, members: up })).members.idleAfterHealing).to.deep.equal([]);
    const anywhere = { ...system, affinity: false };
    const found = check(runWith({ histories: bound, struck: {}, members: up, system: anywhere }));
    expect(found.members.idleAfterHealing).to.deep.equal([b1]);
  });

  it('are not back if healing a fault did not restart them', () => {
    const notBack = [{ member: b1, why: 'ended with code 1' }];
    expect(check(runWith({ histories, struck: { healedMs: null, notBack } })).members.notBack).to.deep.equal([b1]);
  });
});
