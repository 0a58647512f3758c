import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import type { Incident } from '#src/simulator/checker/findings.js';
import type { FaultRecord, Operation, SystemRecord } from '#src/simulator/history/records.js';
import { fault, runOf, user } from './histories.js';

function incidentsOf(history: string, faults: readonly FaultRecord[] = []): readonly Incident[] {
  return check(runOf(user('ann', history), { faults })).incidents;
}

describe('shapes of losses', () => {
  const cases: readonly (readonly [name: string, history: string, expected: Record<string, string>])[] = [
    ['suffix', 'login, add a, add b, add x, add y, final read a b', { x: 'suffix', y: 'suffix' }],
    ['suffix: the newest only', 'login, add a, add x, final read a', { x: 'suffix' }],
    ['suffix: the only write, never seen', 'login, add x, final read', { x: 'suffix' }],
    ['hole: something newer survived', 'login, add a, add x, add b, final read a b', { x: 'hole' }],
    [
      'hole: the newest only, but later writes stayed',
      'login, add a, add x, read a, add b, final read a b',
      { x: 'hole' },
    ],
    ['hole: the only write, but later writes stayed', 'login, add x, read, add b, final read b', { x: 'hole' }],
    ['suffix: later writes were never read', 'login, add a, add x, final read a, add b', { x: 'suffix' }],
    [
      'suffix: two at once, even if later writes stayed',
      'login, add a, add x, add y, read a, add b, final read a b',
      { x: 'suffix', y: 'suffix' },
    ],
    [
      'hole: two writes between others',
      'login, add a, add x, add b, add y, add c, final read a b c',
      { x: 'hole', y: 'hole' },
    ],
    ['hole: the oldest write, never seen', 'login, add x, add b, final read b', { x: 'hole' }],
    ['reset', 'login, add x, add y, final read', { x: 'reset', y: 'reset' }],
    ['reset: later writes are there', 'login, add x, add y, read x y, add b, final read b', { x: 'reset', y: 'reset' }],
    ['reset: the only write, seen before', 'login, add x, read x, final read', { x: 'reset' }],
    [
      'reset: lost with the session, found in the next session',
      'login, add x, whoami anonymous, login, final read',
      { x: 'reset' },
    ],
    ['reset: lost with the session', 'login, add x, read anonymous, login, add b, final read b', { x: 'reset' }],
    [
      'no reset: one write that was seen, next to a survivor',
      'login, add x, add b, read x b, final read b',
      { x: 'hole' },
    ],
    ['comes back: stale', 'login, add a, add x, read a x, read a, final read a x', { x: 'comes-back' }],
    ['comes back: and is lost again', 'login, add a, add x, read a, read a x, final read a', { x: 'comes-back' }],
    [
      'not together: one lost after the other',
      'login, add a, add b, add x, add y, read a b x, final read a b',
      { x: 'suffix', y: 'suffix' },
    ],
    [
      'not together: the token that was lost later survived the first loss',
      'login, add a, add x, add y, add b, read a b, final read b',
      { x: 'hole', y: 'hole', a: 'hole' },
    ],
  ];
  for (const [name, history, expected] of cases) {
    it(name, () => {
      const shapes = incidentsOf(history).flatMap(({ token, shape }) => (shape ? [[token ?? '', shape]] : []));
      expect(Object.fromEntries(shapes)).to.deep.equal(expected);
    });
  }

  const struck = 'login, add a, add x, add y, @50-55 add b, final read a b';
  it('suffix: writes begun after a fault that struck in between do not count as survivors', () => {
    const shapes = incidentsOf(struck, [fault('kill', 46, 48, 60)]).map(({ shape }) => shape);
    expect(shapes).to.deep.equal(['suffix', 'suffix']);
  });

  it('suffix: the newest only, when a fault struck before the later writes', () => {
    const history = 'login, add a, add x, read a, @60-65 add b, final read a b';
    expect(incidentsOf(history, [fault('kill', 36, 38, 60)]).map(({ shape }) => shape)).to.deep.equal(['suffix']);
    expect(incidentsOf(history, [fault('kill', 51, 52, 55)]).map(({ shape }) => shape)).to.deep.equal(['hole']);
    expect(incidentsOf(history, [fault('kill', 5, 6, 9)]).map(({ shape }) => shape)).to.deep.equal(['hole']);
  });

  for (const [name, faults] of [
    ['before the loss', [fault('kill', 5, 6, 9)]],
    ['after the later writes', [fault('kill', 56, 57, 58)]],
    ['in between, but was not confirmed', [fault('kill', 46, null, null)]],
  ] as const) {
    it(`hole: the fault struck ${name}`, () => {
      expect(incidentsOf(struck, faults).map(({ shape }) => shape)).to.deep.equal(['hole', 'hole']);
    });
  }
});

describe('incidents', () => {
  it('name the operations that prove them, and the backends that answered', () => {
    const operations = user('ann', 'login, add a, add x, read a x, final read a').map(
      (operation, i): Operation => ({ ...operation, backend: `backend-${i + 1}` }),
    );
    expect(check(runOf(operations)).incidents).to.deep.equal([
      {
        kind: 'lost',
        user: 'ann',
        session: 1,
        token: 'x',
        sinceMs: 35,
        seenMs: 55,
        operations: [3, 5],
        ackBackend: 'backend-3',
        seenBackend: 'backend-5',
        shape: 'suffix',
      },
    ]);
  });

  it('of a lost session name the login and the first anonymous answer', () => {
    expect(incidentsOf('login, whoami, whoami anonymous, whoami anonymous')).to.deep.equal([
      {
        kind: 'logged-out',
        user: 'ann',
        session: 1,
        sinceMs: 15,
        seenMs: 35,
        operations: [1, 3],
        loggedOut: 'hard',
        pauseMs: 5,
      },
    ]);
  });

  it('of a phantom name one operation only', () => {
    expect(incidentsOf('login, read z')).to.deep.equal([
      { kind: 'phantom', user: 'ann', session: 1, token: 'z', sinceMs: 25, seenMs: 25, operations: [2] },
    ]);
  });

  it('are reported once for each session that was lost', () => {
    const kinds = incidentsOf('login, whoami anonymous, login, whoami anonymous, whoami').map(
      ({ session, loggedOut }) => `${session} ${loggedOut}`,
    );
    expect(kinds).to.deep.equal(['1 hard', '2 flicker']);
  });

  it('say how each of two sessions was lost when the same read found both losses', () => {
    const kinds = incidentsOf('login, add a, add b, whoami anonymous, login, add x, add y, read')
      .filter(({ kind }) => kind === 'logged-out')
      .map(({ session, loggedOut }) => `${session} ${loggedOut}`);
    expect(kinds).to.deep.equal(['1 hard', '2 silent-reset']);
  });

  it('are seen at the first read that missed the token, or at an earlier anonymous answer', () => {
    const history = 'login, add a, add x, read a, read anonymous, login, read';
    const [first, second] = incidentsOf(history).filter(({ kind }) => kind === 'lost');
    expect([first?.token, first?.seenMs]).to.deep.equal(['x', 45]);
    expect([second?.token, second?.seenMs]).to.deep.equal(['a', 55]);
  });

  it('are seen at the first miss after the last read that showed the token', () => {
    const [lost] = incidentsOf('login, add a, add x, read a x, read a, read a, final read a');
    expect(lost?.seenMs).to.equal(55);
  });

  it('are in the order in which users saw them', () => {
    const ann = user('ann', 'login, @200-205 whoami anonymous');
    const bob = user('bob', 'login, @100-105 whoami anonymous');
    const { incidents } = check(runOf([...ann, ...bob]));
    expect(incidents.map(incident => incident.user)).to.deep.equal(['bob', 'ann']);
  });

  describe('name the faults that can explain them by time', () => {
    const history = '@5000-5005 login, @20000-20010 whoami anonymous';
    const cases: readonly (readonly [name: string, faults: readonly FaultRecord[], expected: string[] | undefined])[] =
      [
        ['nothing when no fault struck', [], undefined],
        ['all faults that were active', [fault('a', 1000, 1001, 15000), fault('b', 2000, 2001, 15000)], ['a', 'b']],
        ['one that was healed after the acknowledgement', [fault('a', 1000, 1001, 5005)], ['a']],
        ['not one that was healed before the acknowledgement', [fault('a', 1000, 1001, 5004)], []],
        ['one that was not healed', [fault('a', 1000, 1001, null)], ['a']],
        ['one that was confirmed only later', [fault('a', 19000, 20020, 21000)], ['a']],
        ['one that struck at that moment', [fault('a', 20_010, 20_012, 21000)], ['a']],
        ['not one that struck later', [fault('a', 20011, 20012, 21000)], []],
        ['not one that was never confirmed', [fault('a', 1000, null, null)], []],
      ];
    for (const [name, faults, expected] of cases) {
      it(name, () => {
        const [incident] = incidentsOf(history, faults);
        expect(incident?.candidates).to.deep.equal(expected);
        expect(incident?.fault).to.equal(expected?.length === 1 ? expected[0] : undefined);
      });
    }
  });

  describe('name the faults that can explain them by path', () => {
    const system = (keeps: SystemRecord['keeps'], stores: readonly string[] = []): SystemRecord => ({
      members: [
        ...['backend-1', 'backend-2', 'backend-3'].map(name => ({ name, role: 'backend' as const })),
        { name: 'proxy', role: 'proxy' },
      ],
      keeps,
      stores,
      affinity: keeps === 'backend',
    });
    const redis = system('store', ['redis']);
    const browser = system('browser', ['redis']);
    const cases: readonly (readonly [string, SystemRecord, string, boolean])[] = [
      ['the backend that acknowledged it', system('backend'), 'backend-1', true],
      ['not a backend that the session did not use', system('backend'), 'backend-3', false],
      ['the link to the backend that acknowledged it', system('backend'), 'proxy->backend-1', true],
      ['the proxy, if it binds browsers', system('backend'), 'proxy', true],
      ['not the proxy, if any backend serves', redis, 'proxy', false],
      ['not a store that the mode does not use', system('backend'), 'redis', false],
      ['the store', redis, 'redis.replica-1', true],
      ['the replication link', redis, 'redis.primary->redis.replica-1', true],
      ['the link from the backend to the store', redis, 'backend-1->redis', true],
      ['not the link from another backend', redis, 'backend-3->redis', false],
      ['not the key ring, if the cookie is an id', redis, 'secrets', false],
      ['the key ring, if the browser keeps the session', browser, 'secrets', true],
      ['the backend that refused the session', browser, 'backend-2', true],
      ['the system, for a command', redis, 'system', true],
    ];
    for (const [name, described, target, isCandidate] of cases) {
      it(name, () => {
        const operations = user('ann', '@5-10 login, @15-20 add x, @300-305 read').map((operation, i) => ({
          ...operation,
          backend: i < 2 ? 'backend-1' : 'backend-2',
        }));
        const faults = [{ ...fault('a', 100, 110, 200), target }];
        const run = runOf(operations, { faults });
        const { incidents, writes } = check({ ...run, header: { ...run.header, system: described } });
        expect(incidents.map(({ kind, candidates }) => [kind, candidates])).to.deep.equal([
          ['lost', isCandidate ? ['a'] : []],
        ]);
        expect(writes.unexplained).to.equal(isCandidate ? 0 : 1);
      });
    }

    for (const [what, incarnations, isCandidate] of [
      ['a deploy, if two processes answered the user in that time', ['one', 'one', 'two'], true],
      ['not a deploy, if one process answered everything', ['one', 'one', 'one'], false],
      ['a deploy, if no answer names its process', [undefined, undefined, undefined], true],
    ] as const)
      it(what, () => {
        const operations = user('ann', '@5-10 login, @15-20 add x, @300-305 read').map(
          (operation, i): Operation => ({ ...operation, ...(incarnations[i] && { incarnation: incarnations[i] }) }),
        );
        const faults = [{ ...fault('a', 1, 110, 200), target: 'backends' }];
        const run = runOf(operations, { faults });
        const { incidents } = check({ ...run, header: { ...run.header, system: redis } });
        expect(incidents[0]?.candidates).to.deep.equal(isCandidate ? ['a'] : []);
      });
  });
});

describe('requests', () => {
  it('count every operation by its outcome, including replays and the read-back', () => {
    const operations = user('ann', 'login, add x?, add y!, read!, logout, replay, login, final read');
    const run = runOf(operations, { lab: { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 9 } });
    expect(check(run).requests).to.deep.equal({ planned: 8, ok: 5, failed: 2, unknown: 1, dropped: 9, bad: 12 });
  });

  it('are bad when planned and without a good answer; only planned ones count, and dropped ones are included', () => {
    const operations = user('ann', 'login, add x?, add y!, login!, replay as ann!, final read!');
    const anew = operations.map(operation => (operation.id === 4 ? { ...operation, extra: true as const } : operation));
    const lab = { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 3 } as const;
    expect(check(runOf(anew, { lab })).requests).to.include({ failed: 4, unknown: 1, dropped: 3, bad: 5 });
  });

  it('are timed from the planned time and from sending, without replays and the read-back', () => {
    const [login, ...others] = user('ann', 'login, logout, replay, final read');
    const late = { ...(login as Operation), plannedMs: 2 };
    const slow = others.map(operation => (operation.kind === 'logout' ? operation : { ...operation, doneMs: 9999 }));
    const { latencyMs, serviceMs } = check(runOf([late, ...slow]));
    expect(latencyMs).to.deep.equal({ p50: 5, p90: 13, p99: 13, max: 13 });
    expect(serviceMs).to.deep.equal({ p50: 5, p90: 5, p99: 5, max: 5 });
  });
});
