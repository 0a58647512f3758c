import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import type { Operation } from '#src/simulator/history/records.js';
import { fault, runOf, user, wrongs } from './histories.js';

function wrongsOf(...operations: readonly Operation[]): Record<string, number> {
  return wrongs(check(runOf(operations)));
}

/** Histories that only look like a defect. A correct system behaves like this when requests get lost. */
const correct: readonly (readonly [name: string, history: string, more?: Record<string, number>])[] = [
  [
    'an add that is executed long after its user timed out',
    'login, add a, add x?, read a, read a, final read a x',
    { recovered: 1 },
  ],
  [
    'an add that is executed after its removal',
    'login, add x?, remove x, read, read x, final read x',
    { recovered: 1 },
  ],
  ['an add that is executed in the session before', 'login, add x?, logout, login, add a, read a, final read a'],
  [
    'an add that is executed late, in the next session',
    'login, add x?, logout, login, add a, read a, final read a x',
    { recovered: 1 },
  ],
  [
    'an add that is executed twice, with both outcomes unknown',
    'login, add x?, add x?, read x*2, final read x*2',
    { recovered: 1 },
  ],
  [
    'a removal that is executed long after its user timed out',
    'login, add x, read x, remove x?, read x, read, final read',
  ],
  ['a removal that is executed twice', 'login, add x, read x, remove x?, read x, remove x, final read'],
  ['a read during a late write', 'login, @20-30 add x?, @40-60 read x, @70-80 final read x', { recovered: 1 }],
  ['a login whose answer was lost', 'login?, whoami anonymous, login?, login, add x, final read x'],
  ['a login that succeeded without the user knowing it', 'login?, whoami, login, add x, final read x'],
  [
    'a second login that may have begun a new session',
    'login, add x, read x, login?, read, login, add y, final read y',
  ],
  ['a login that fails during a session', 'login, add x, login!, read x, final read x'],
  [
    'an unknown logout, followed by a failed login',
    'login, add x, read x, logout?, login?, whoami anonymous, read anonymous',
  ],
  ['an unknown logout that did not happen', 'login, add x, read x, logout?, whoami, read x, final read x'],
  [
    'answers at exactly the time of the next request',
    '@0-10 login, @10-20 add x, @20-30 read x, @30-40 remove x, @40-50 read, @50-60 logout, @60-70 whoami anonymous',
  ],
  [
    'a history without any session',
    'login!, add x!, read!, whoami anonymous, login?, read anonymous, final read anonymous',
  ],
];

/** Each finding at the first and the last place where it can be seen. */
const defective: readonly (readonly [name: string, history: string, found: string])[] = [
  ['a phantom in the very first answer', 'read z', 'phantom'],
  ['a phantom in the read-back only', 'login, add x, read x, final read x z', 'phantom'],
  ['another user in the first answer', 'login as bob', 'identitySwapped'],
  ['another user in the last answer', 'login, add x, final read as bob', 'identitySwapped'],
  ['a loss in the read-back only', 'login, add x, read x, final read', 'lost'],
  ['a loss in the session after a logout', 'login, logout, login, add x, read x, final read', 'lost'],
  ['a loss after an unknown removal of another item', 'login, add a, add x, remove a?, read x, final read', 'lost'],
  ['a loss after an unknown login and an acknowledged one', 'login?, login, add x, read x, final read', 'lost'],
  ['a duplicate in the read-back only', 'login, add x, final read x*2', 'duplicated'],
  ['a duplicate of an unknown add', 'login, add x?, final read x*2', 'duplicated'],
  ['a failed add in the read-back only', 'login, add x!, final read x', 'failedVisible'],
  ['a resurrected item in the read-back only', 'login, add x, remove x, read, final read x', 'resurrected'],
  [
    'a resurrected item after two removals, one of them unknown',
    'login, add x, remove x?, remove x, final read x',
    'resurrected',
  ],
  ['a lost session in the first operation after the login', 'login, whoami anonymous', 'loggedOutHard'],
  ['a lost session in the read-back only', 'login, add x, read x, final read anonymous', 'loggedOutHard'],
  ['a lost session before an unknown login', 'login, whoami anonymous, login?, whoami anonymous', 'loggedOutHard'],
  ['a lost session after a logout and a login', 'login, logout, login, whoami anonymous, whoami', 'flickered'],
  ['a logout ignored by the last operation', 'login, add x, read x, logout, replay x', 'logoutNotHonoured'],
];

describe('edge cases of the checker', () => {
  for (const [name, history, more = {}] of correct)
    it(`reports no defect for ${name}`, () => expect(wrongsOf(...user('ann', history))).to.deep.equal(more));

  for (const [name, history, found] of defective)
    it(`finds ${name}`, () => expect(wrongsOf(...user('ann', history))).to.include({ [found]: 1 }));

  it('finds nothing in an empty history', () => expect(wrongsOf()).to.deep.equal({}));

  it('does not depend on the order of the operations', () => {
    const operations = [
      ...user('ann', 'login, add a, add x, read a x, remove a, final read'),
      ...user('bob', 'login, add y, read y'),
    ];
    expect(wrongsOf(...operations.toReversed()))
      .to.deep.equal(wrongsOf(...operations))
      .and.include({ lost: 1 });
  });

  it('leaves every write unverified when every read fails', () => {
    expect(wrongsOf(...user('ann', 'login, add x, read!, add y, read!, final read!'))).to.deep.equal({ unverified: 2 });
  });

  for (const [what, history, missing] of [
    ['a read misses an acknowledged write', 'login, add x, read', 1],
    ['a read misses what an earlier read showed', 'login, add x?, read x, read', 1],
    ['a read after another login misses it', 'login, add x, read anonymous, login, read', 1],
    ['a later read shows it again', 'login, add x, read, read x', 0],
    ['it was possibly removed', 'login, add x, read x, remove x?, read', 0],
    ['only an anonymous answer hides it', 'login, add x, read anonymous', 0],
    ['it was never acknowledged, and no read showed it', 'login, add x?, read', 0],
  ] as const) {
    it(`counts ${missing === 0 ? 'no write' : 'a write'} as missing while a fault is active when ${what}`, () => {
      const faults = [fault('kill', 0, 1, null)];
      expect(check(runOf(user('ann', history), { faults })).writes).to.include({ missing, lost: 0 });
    });
  }

  it('judges 100,000 users with one operation, and one user with 100,000 operations', () => {
    const login = user('ann', 'login');
    const many = Array.from({ length: 100_000 }, (_, n) => login.map(one => ({ ...one, id: n, user: `u${n}` }))).flat();
    expect(check(runOf(many)).users.total).to.equal(100_000);
    const long = user('ann', 'login, add a, add x, read a x');
    const whoami = user('ann', 'whoami').map(one => ({ ...one, session: 1 }));
    const rest = Array.from({ length: 100_000 }, (_, n) =>
      whoami.map(one => ({ ...one, id: 10 + n, sentMs: 100 + n, doneMs: 100 + n })),
    ).flat();
    const last = user('ann', 'login, @200000-200005 final read a')
      .slice(1)
      .map(one => ({ ...one, id: 200_000 }));
    expect(wrongsOf(...long, ...rest, ...last)).to.include({ lost: 1 });
  }).timeout(5_000);
});
