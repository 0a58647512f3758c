import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import type { Operation } from '#src/simulator/history/records.js';
import { runOf, user, wrongs } from './histories.js';

function wrongsOf(...operations: readonly Operation[]): Record<string, number> {
  return wrongs(check(runOf(operations)));
}

/** What only looks like a defect: each is how a correct system behaves when requests get lost on the way. */
const innocent: readonly (readonly [name: string, history: string, more?: Record<string, number>])[] = [
  [
    'an add carried out long after its user gave up',
    'login, add a, add x?, read a, read a, final read a x',
    { recovered: 1 },
  ],
  ['an add carried out after its removal', 'login, add x?, remove x, read, read x, final read x', { recovered: 1 }],
  ['an add carried out in the session before', 'login, add x?, logout, login, add a, read a, final read a'],
  [
    'an add carried out late in the session after',
    'login, add x?, logout, login, add a, read a, final read a x',
    { recovered: 1 },
  ],
  [
    'an add carried out twice, both tries in doubt',
    'login, add x?, add x?, read x*2, final read x*2',
    { recovered: 1 },
  ],
  ['a removal carried out long after its user gave up', 'login, add x, read x, remove x?, read x, read, final read'],
  ['a removal carried out twice', 'login, add x, read x, remove x?, read x, remove x, final read'],
  ['a read while a late write lands', 'login, @20-30 add x?, @40-60 read x, @70-80 final read x', { recovered: 1 }],
  ['a login whose answer was lost', 'login?, whoami anonymous, login?, login, add x, final read x'],
  ['a login that was carried out, but unknown to the user', 'login?, whoami, login, add x, final read x'],
  [
    'a login on top that may have begun a new session',
    'login, add x, read x, login?, read, login, add y, final read y',
  ],
  ['a login that the wrong state refuses', 'login, add x, login!, read x, final read x'],
  [
    'a logout that may have happened, and the login after it failed',
    'login, add x, read x, logout?, login?, whoami anonymous, read anonymous',
  ],
  ['a logout that did not happen, though it may have', 'login, add x, read x, logout?, whoami, read x, final read x'],
  [
    'answers at the very moment of the next request',
    '@0-10 login, @10-20 add x, @20-30 read x, @30-40 remove x, @40-50 read, @50-60 logout, @60-70 whoami anonymous',
  ],
  ['no session at all', 'login!, add x!, read!, whoami anonymous, login?, read anonymous, final read anonymous'],
];

/** Each word at the first and the last place where it can be seen. */
const guilty: readonly (readonly [name: string, history: string, found: string])[] = [
  ['a foreign item in the first answer of all', 'read z', 'phantom'],
  ['a foreign item in the read-back only', 'login, add x, read x, final read x z', 'phantom'],
  ['somebody else in the first answer', 'login as bob', 'identitySwapped'],
  ['somebody else in the last answer', 'login, add x, final read as bob', 'identitySwapped'],
  ['a loss in the read-back only', 'login, add x, read x, final read', 'lost'],
  ['a loss in the session after a logout', 'login, logout, login, add x, read x, final read', 'lost'],
  ['a loss after a removal in doubt of another', 'login, add a, add x, remove a?, read x, final read', 'lost'],
  ['a loss after a login in doubt, and one that came', 'login?, login, add x, read x, final read', 'lost'],
  ['a duplicate in the read-back only', 'login, add x, final read x*2', 'duplicated'],
  ['a duplicate of an add in doubt', 'login, add x?, final read x*2', 'duplicated'],
  ['a failed add in the read-back only', 'login, add x!, final read x', 'failedVisible'],
  ['back in the read-back only', 'login, add x, remove x, read, final read x', 'resurrected'],
  ['back after two removals, one in doubt', 'login, add x, remove x?, remove x, final read x', 'resurrected'],
  ['logged out in the first operation after the login', 'login, whoami anonymous', 'loggedOutHard'],
  ['logged out in the read-back only', 'login, add x, read x, final read anonymous', 'loggedOutHard'],
  [
    'logged out in the shadow of a login in doubt',
    'login, whoami anonymous, login?, whoami anonymous',
    'loggedOutHard',
  ],
  ['logged out in the session after a logout', 'login, logout, login, whoami anonymous, whoami', 'flickered'],
  ['a logout ignored by the last operation', 'login, add x, read x, logout, replay x', 'logoutNotHonoured'],
];

describe('the edges of the checker', () => {
  for (const [name, history, more = {}] of innocent)
    it(`accuses nobody of ${name}`, () => expect(wrongsOf(...user('ann', history))).to.deep.equal(more));

  for (const [name, history, found] of guilty)
    it(`finds ${name}`, () => expect(wrongsOf(...user('ann', history))).to.include({ [found]: 1 }));

  it('finds nothing where there is nothing', () => expect(wrongsOf()).to.deep.equal({}));

  it('does not mind the order of the lines', () => {
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

  it('judges 100,000 users of one operation, and one user of 100,000', () => {
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
