import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import { b1, b2, type Case, runWith, twoProxies } from './struck-runs.js';

function effectOf(one: Case) {
  const [finding] = check(runWith(one)).faults;
  return finding?.effect ?? expect.fail('no effect was looked for');
}

const silent = { kind: 'silent', member: b1 } as const;

describe('effects of faults', () => {
  const seen: readonly (readonly [name: string, seen: number, of: number, one: Case])[] = [
    [
      'version: the new version answers users, also before the last backend has it',
      1,
      2,
      {
        histories: [['@10-15 login, @1050-1055 whoami, @1500-1505 whoami', { version: 'A' }, { version: 'B' }]],
        struck: { target: 'backends', expects: { kind: 'version', version: 'B' } },
      },
    ],
    [
      'version, not seen: only the old version answers, and the new one once the healing has begun',
      0,
      1,
      {
        histories: [['@1200-1205 login, @2100-2105 whoami', { version: 'A' }, { version: 'B' }]],
        struck: { target: 'backends', expects: { kind: 'version', version: 'B' } },
      },
    ],
    [
      'silent: the member had answered users, and answers none until it is healed',
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
      'silent, not seen: the member continues to answer',
      0,
      1,
      { histories: [['@10-15 login, @1200-1205 whoami', b1, b1]], struck: { expects: silent } },
    ],
    [
      'silent, not seen: the member had answered no user before',
      0,
      1,
      { histories: [['@10-15 login, @1200-1205 whoami', b2, b2]], struck: { expects: silent } },
    ],
    [
      'silent: the member may still answer requests from before the confirmation',
      1,
      1,
      { histories: [['@10-15 login, @1050-1150 whoami', b1, b1]], struck: { expects: silent } },
    ],
    [
      'silent: the member may answer once the healing has begun',
      1,
      1,
      { histories: [['@10-15 login, @1200-2100 whoami', b1, b1]], struck: { expects: silent } },
    ],
    [
      'silent: a process that restarts by itself may answer from then on',
      1,
      1,
      {
        histories: [['@10-15 login, @1200-1205 whoami, @1500-1505 whoami', b1, b2, b1]],
        struck: { expects: { ...silent, whileDown: true } },
        members: [{ type: 'member', member: b1, atMs: 1400, state: 'up' }],
      },
    ],
    [
      'silent, one of two proxies: its users continue through the other proxy',
      1,
      1,
      {
        histories: [['@10-15 login, @1200-1205 whoami', { proxy: 'proxy-1' }, { proxy: 'proxy-2' }]],
        struck: { expects: { kind: 'silent', member: 'proxy-1' }, target: 'proxy-1' },
        system: twoProxies,
      },
    ],
    [
      'silent, one of two proxies, not seen: the other proxy answered none of its users',
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
      'silent, the only proxy: no request is answered',
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
      'answered, not seen: it answers no user',
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
      'slow, not seen: all answers are quick, as with a limit far above the traffic',
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
      'broken: a retry repaired the answer',
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
      'keys: an old session is used, and another is made under the new key',
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
      'keys, not seen: a new login still uses the old key',
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
      'keys, not seen: no login followed the change',
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
      'asked: the counter of the store grew',
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
      'link bytes: the replication lost bytes',
      90,
      90,
      {
        histories: [],
        struck: {
          expects: { kind: 'link-bytes', link: 'a->b' },
          target: 'redis.primary->redis.replica-1',
          measured: 90,
        },
      },
    ],
    [
      'link bytes, not seen: the replication lost no bytes',
      0,
      0,
      {
        histories: [],
        struck: {
          expects: { kind: 'link-bytes', link: 'a->b' },
          target: 'redis.primary->redis.replica-1',
          measured: 0,
        },
      },
    ],
    [
      'confirm changed: confirm failed before inject',
      1,
      1,
      { histories: [], struck: { expects: { kind: 'confirm-changed' }, target: 'system', wasConfirmedBefore: false } },
    ],
    [
      'confirm changed, not seen: confirm had succeeded before inject ran',
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

  it('count users who wrote elsewhere and came back, and warn when they are too few to show a stale copy', () => {
    const history = '@10-15 login, @1200-1205 add x, @2300-2305 read x';
    const textFor = (count: number) =>
      effectOf({
        histories: Array.from({ length: count }, () => [history, b1, b2, b1] as const),
        struck: { expects: silent },
      }).text;
    expect(textFor(1)).to.include(
      '; 1 of them wrote through another member during the fault, and later read through this one again: too few',
    );
    expect(textFor(5)).to.match(
      /; 5 of them wrote through another member during the fault, and later read through this one again$/,
    );
    expect(effectOf({ histories: [[history, b1, b2, b2]], struck: { expects: silent } }).text).not.to.include(
      'elsewhere',
    );
  });

  it('are null when the fault was not confirmed, or names no expected effect', () => {
    const histories = [['@10-15 login', b1]] as const;
    expect(check(runWith({ histories, struck: { expects: silent, confirmedMs: null } })).faults[0]?.effect).to.equal(
      null,
    );
    expect(check(runWith({ histories, struck: {} })).faults[0]?.effect).to.equal(null);
  });
});
