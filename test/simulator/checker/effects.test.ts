import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import type { FaultRecord, MemberRecord, Operation, RunRecord, SystemRecord } from '#src/simulator/history/records.js';
import { fault, runOf, user } from './histories.js';

const system: SystemRecord = {
  members: [
    ...['backend-1', 'backend-2'].map(name => ({ name, role: 'backend' as const })),
    { name: 'proxy', role: 'proxy' },
  ],
  keeps: 'backend',
  stores: [],
  affinity: true,
};
const twoProxies: SystemRecord = {
  ...system,
  members: [
    ...['backend-1', 'backend-2'].map(name => ({ name, role: 'backend' as const })),
    ...['proxy-1', 'proxy-2'].map(name => ({ name, role: 'proxy' as const })),
  ],
};

interface Case {
  /** Operations of one user, each with `by`: what answered it. */
  readonly histories: readonly (readonly [history: string, ...by: (string | Partial<Operation>)[]])[];
  readonly struck: Partial<FaultRecord>;
  readonly system?: SystemRecord;
  readonly members?: readonly MemberRecord[];
}

/** Struck at 1 s, confirmed at 1.1 s, healed from 2 s to 2.2 s. */
function runWith({ histories, struck, system: described = system, members = [] }: Case): RunRecord {
  const operations = histories.flatMap(([history, ...by], index) =>
    user(`user-${index + 1}`, history).map((operation, place): Operation => {
      const answered = by[place] ?? {};
      return { ...operation, ...(typeof answered === 'string' ? { backend: answered } : answered) };
    }),
  );
  const record = { ...fault('f', 1000, 1100, 2200), healRequestedMs: 2000, target: 'backend-1', ...struck };
  const run = runOf(
    operations.map((operation, id) => ({ ...operation, id })),
    { faults: [record], members },
  );
  return { ...run, header: { ...run.header, system: described } };
}

function effectOf(one: Case) {
  const [finding] = check(runWith(one)).faults;
  return finding?.effect ?? expect.fail('no effect was looked for');
}

const b1 = 'backend-1';
const b2 = 'backend-2';
const silent = { kind: 'silent', member: b1 } as const;

describe('effects of faults', () => {
  const seen: readonly (readonly [name: string, seen: number, of: number, one: Case])[] = [
    [
      'silent: it had answered, and answers nothing until it is healed',
      1,
      2,
      {
        histories: [
          ['@10-15 login, @1200-1205 whoami, @2300-2305 whoami', b1, b2, b1],
          ['@10-15 login', b2],
        ],
        struck: { expects: silent },
      },
    ],
    [
      'silent, not seen: it goes on answering',
      0,
      1,
      { histories: [['@10-15 login, @1200-1205 whoami', b1, b1]], struck: { expects: silent } },
    ],
    [
      'silent, not seen: it had answered no user',
      0,
      1,
      { histories: [['@10-15 login, @1200-1205 whoami', b2, b2]], struck: { expects: silent } },
    ],
    [
      'silent: what was sent before the confirmation may still be answered',
      1,
      1,
      { histories: [['@10-15 login, @1050-1150 whoami', b1, b1]], struck: { expects: silent } },
    ],
    [
      'silent: what it answers once the healing has begun is no breach',
      1,
      1,
      { histories: [['@10-15 login, @1200-2100 whoami', b1, b1]], struck: { expects: silent } },
    ],
    [
      'silent: what starts again by itself answers from then on',
      1,
      1,
      {
        histories: [['@10-15 login, @1500-1505 whoami', b1, b1]],
        struck: { expects: silent },
        members: [{ type: 'member', member: b1, atMs: 1400, state: 'up' }],
      },
    ],
    [
      'silent, of a proxy: its users go on through the other',
      1,
      1,
      {
        histories: [['@10-15 login, @1200-1205 whoami', { proxy: 'proxy-1' }, { proxy: 'proxy-2' }]],
        struck: { expects: { kind: 'silent', member: 'proxy-1' }, target: 'proxy-1' },
        system: twoProxies,
      },
    ],
    [
      'silent, of a proxy, not seen: the other answered none of its users while it was dead',
      0,
      2,
      {
        histories: [
          ['@10-15 login, @2300-2305 whoami', { proxy: 'proxy-1' }, { proxy: 'proxy-1' }],
          ['@10-15 login, @1200-1205 whoami', { proxy: 'proxy-2' }, { proxy: 'proxy-2' }],
        ],
        struck: { expects: { kind: 'silent', member: 'proxy-1' }, target: 'proxy-1' },
        system: twoProxies,
      },
    ],
    [
      'silent, of the only proxy: nothing is answered',
      1,
      1,
      {
        histories: [['@10-15 login, @1200-1205 whoami!, @2300-2305 whoami']],
        struck: { expects: { kind: 'silent', member: 'proxy' }, target: 'proxy' },
      },
    ],
    [
      'answered: the new member answers users',
      1,
      2,
      {
        histories: [['@10-15 login, @1200-1205 whoami, @1300-1305 whoami', b2, b1, b2]],
        struck: { expects: { kind: 'answered', member: b1 } },
      },
    ],
    [
      'answered, not seen: it answers nobody',
      0,
      1,
      {
        histories: [['@10-15 login, @1200-1205 whoami', b2, b2]],
        struck: { expects: { kind: 'answered', member: b1 } },
      },
    ],
    [
      'slow: an answer took at least the stated delay',
      1,
      2,
      {
        histories: [['@10-15 login, @1200-1300 whoami, @1400-1405 whoami', b1, b1, b1]],
        struck: { expects: { kind: 'slow', member: b1, atLeastMs: 100 } },
      },
    ],
    [
      'slow, not seen: all answers are quick, as with a limit far above what flows',
      0,
      1,
      {
        histories: [['@10-15 login, @1200-1205 whoami', b1, b1]],
        struck: { expects: { kind: 'slow', member: b1 } },
      },
    ],
    [
      'slow without a stated delay: longer than the band of the baseline',
      1,
      1,
      {
        histories: [['@10-15 login, @1200-1230 whoami', b1, b1]],
        struck: { expects: { kind: 'slow', member: b1 } },
      },
    ],
    [
      'broken: an error reached a user',
      1,
      2,
      {
        histories: [['@10-15 login, @1200-1205 whoami!, @1300-1305 whoami', b1, { backend: b1, status: 500 }, b1]],
        struck: { expects: { kind: 'broken', member: b1 } },
      },
    ],
    [
      'broken: a retry repaired it',
      4,
      4,
      {
        histories: [['@10-15 login, @1200-1205 whoami', b1, b1]],
        struck: { expects: { kind: 'broken', member: b1 }, measured: 4 },
      },
    ],
    [
      'broken, not seen: only a logged-out user was refused',
      0,
      1,
      {
        histories: [['@10-15 login, @1200-1205 whoami anonymous', b1, b1]],
        struck: { expects: { kind: 'broken', member: b1 } },
      },
    ],
    [
      'keys: an old session is used, and a new one is made under the new key',
      1,
      1,
      {
        histories: [
          ['@10-15 login, @1200-1205 whoami', { key: 'k1' }, {}],
          ['@1300-1305 login', { key: 'k2' }],
        ],
        struck: { expects: { kind: 'keys' }, target: 'secrets' },
      },
    ],
    [
      'keys, not seen: a new login is still under the old key',
      0,
      1,
      {
        histories: [
          ['@10-15 login, @1200-1205 whoami', { key: 'k1' }, {}],
          ['@1300-1305 login', { key: 'k1' }],
        ],
        struck: { expects: { kind: 'keys' }, target: 'secrets' },
      },
    ],
    [
      'keys, not seen: no login came after the change',
      0,
      1,
      {
        histories: [['@10-15 login, @1200-1205 whoami', { key: 'k1' }, {}]],
        struck: { expects: { kind: 'keys' }, target: 'secrets' },
      },
    ],
    [
      'asked: a request failed while the store was struck',
      1,
      2,
      {
        histories: [['@10-15 login, @1200-1205 add x?, @1300-1305 whoami']],
        struck: { expects: { kind: 'asked', store: 'redis' }, target: 'redis' },
      },
    ],
    [
      'asked: its own counter grew',
      7,
      7,
      {
        histories: [['@10-15 login, @1200-1205 whoami']],
        struck: { expects: { kind: 'asked', store: 'redis' }, target: 'redis', measured: 7 },
      },
    ],
    [
      'asked, not seen: every request was answered at once',
      0,
      1,
      {
        histories: [['@10-15 login, @1200-1205 whoami']],
        struck: { expects: { kind: 'asked', store: 'redis' }, target: 'redis' },
      },
    ],
    [
      'written: a write was acknowledged that the replica could not take',
      1,
      1,
      {
        histories: [['@10-15 login, @1200-1205 add x']],
        struck: { expects: { kind: 'written', member: 'redis.replica-1' }, target: 'redis.replica-1' },
      },
    ],
    [
      'written, not seen: nothing was written meanwhile',
      0,
      0,
      {
        histories: [['@10-15 login, @900-905 add x']],
        struck: { expects: { kind: 'written', member: 'redis.replica-1' }, target: 'redis.replica-1' },
      },
    ],
    [
      'confirm changed: it failed before inject',
      1,
      1,
      { histories: [], struck: { expects: { kind: 'confirm-changed' }, target: 'system', wasConfirmedBefore: false } },
    ],
    [
      'confirm changed, not seen: it had succeeded before inject ran',
      0,
      1,
      { histories: [], struck: { expects: { kind: 'confirm-changed' }, target: 'system', wasConfirmedBefore: true } },
    ],
  ];
  for (const [name, times, of, one] of seen) {
    it(name, () => {
      const effect = effectOf(one);
      expect([effect.seen, effect.of], effect.text).to.deep.equal([times, of]);
      expect(effect.text).to.match(/\w/);
    });
  }

  it('are not looked for where the fault was not confirmed, or does not say what is to be seen', () => {
    const histories = [['@10-15 login', b1]] as const;
    expect(check(runWith({ histories, struck: { expects: silent, confirmedMs: null } })).faults[0]?.effect).to.equal(
      null,
    );
    expect(check(runWith({ histories, struck: {} })).faults[0]?.effect).to.equal(null);
  });
});

describe('exposed users', () => {
  const cases: readonly (readonly [
    name: string,
    history: Case['histories'][number],
    struck: Partial<FaultRecord>,
    exposed: number,
  ])[] = [
    ['whose last answer came from what was struck', ['@10-15 login', b1], {}, 1],
    ['not those whose last answer came from elsewhere', ['@10-15 login, @20-25 whoami', b1, b2], {}, 0],
    ['not those who came to it only after the healing', ['@10-15 login, @2300-2305 whoami', b2, b1], {}, 0],
    ['those answered by it while the fault lasted', ['@10-15 login, @1200-1205 whoami', b2, b1], {}, 1],
    ['not those whose request to it failed unanswered', ['@10-15 login, @900-905 whoami!', b2, b1], {}, 0],
    ['of a link to a backend: as of the backend', ['@10-15 login', b1], { target: 'proxy->backend-1' }, 1],
    ['of a link to a store: those of the backend', ['@10-15 login', b2], { target: 'backend-1->redis' }, 0],
    ['of a store: all', ['@10-15 login', b2], { target: 'redis' }, 1],
    ['of the only proxy: all', ['@10-15 login', b2], { target: 'proxy' }, 1],
    ['of the key ring: all', ['@10-15 login', b2], { target: 'secrets' }, 1],
    ['of a command: all', ['@10-15 login', b2], { target: 'system' }, 1],
    ['not those who came later', ['@2300-2305 login', b1], { target: 'redis' }, 0],
  ];
  for (const [name, history, struck, exposed] of cases) {
    it(`are ${name}`, () => {
      const findings = check(runWith({ histories: [history], struck }));
      expect(findings.users.exposed).to.equal(exposed);
      expect(findings.faults[0]?.exposed).to.equal(exposed);
    });
  }

  it('are those of one of two proxies by what they went through', () => {
    const histories = [
      ['@10-15 login', { proxy: 'proxy-1' }],
      ['@10-15 login', { proxy: 'proxy-2' }],
    ] as const;
    const { users } = check(runWith({ histories, struck: { target: 'proxy-1' }, system: twoProxies }));
    expect(users).to.include({ total: 2, exposed: 1 });
  });

  it('are apart from users who were logged out without any fault', () => {
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

  it('are not counted where no fault struck', () => {
    expect(check(runOf(user('ann', 'login, whoami anonymous'))).users).to.include({
      exposed: null,
      loggedOutUnexposed: 0,
    });
  });
});

describe('members', () => {
  const histories = [['@10-15 login, @20-25 whoami, @2300-2305 whoami, @2400-2405 whoami!', b1, b2, b2, b1]] as const;

  it('are counted by their good answers, with those that answered none', () => {
    expect(check(runWith({ histories, struck: {} })).members.answered).to.deep.equal({
      'backend-1': 1,
      'backend-2': 2,
      proxy: 0,
    });
  });

  it('are ejected at the end where the proxy had not taken them back', () => {
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

  it('are idle after the healing where enough unbound users arrived and none came to them', () => {
    const idle = (count: number) =>
      check(runWith({ histories: arrivals(count), struck: {}, members: up })).members.idleAfterHealing;
    expect(idle(4)).to.deep.equal([b1]);
    expect(idle(3)).to.deep.equal([]);
  });

  it('are not idle where users who are bound elsewhere stay there', () => {
    const bound = Array.from({ length: 4 }, () => ['@10-15 login, @2300-2305 whoami', b2, b2] as const);
    expect(check(runWith({ histories: bound, struck: {}, members: up })).members.idleAfterHealing).to.deep.equal([]);
    const anywhere = { ...system, affinity: false };
    const found = check(runWith({ histories: bound, struck: {}, members: up, system: anywhere }));
    expect(found.members.idleAfterHealing).to.deep.equal([b1]);
  });

  it('are not back where healing a fault did not bring them back', () => {
    const notBack = [{ member: b1, why: 'ended with code 1' }];
    expect(check(runWith({ histories, struck: { healedMs: null, notBack } })).members.notBack).to.deep.equal([b1]);
  });
});
