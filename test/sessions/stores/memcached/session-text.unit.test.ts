import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { addEpoch, keptOf, parsePresent, textOf } from '#src/sessions/stores/memcached/session-text.js';

const nowMs = 1_764_018_197_123;
const deadlines = { createdAtMs: nowMs, idleUntilMs: nowMs + 1, absoluteUntilMs: nowMs + 2 };
const kept = keptOf({ user: 'anna', data: {}, version: 1, ...deadlines }, { user: 20, everyone: 5 });

describe('memcached: the text of a session', () => {
  for (const [what, user, everyone, isThere] of [
    ['the present epochs', 20, 5, true],
    ['an older epoch of the user', 21, 5, false],
    ['a newer epoch of the user', 19, 5, false],
    ['an older epoch of everyone', 20, 6, false],
    ['a lost epoch of the user', undefined, 5, false],
    ['a lost epoch of everyone', 20, undefined, false],
  ] as const) {
    it(`with ${what} is ${isThere ? 'a' : 'no'} session`, () => {
      const found = parsePresent(textOf(kept), { user, everyone, isSure: true });
      expect(found).to.deep.equal(isThere ? kept : undefined);
    });
  }

  it('with a newer epoch cannot be judged while the second server does not answer', () => {
    expect(() => parsePresent(textOf(kept), { user: 19, everyone: 5, isSure: false })).to.throw(StoreUnavailable);
    expect(parsePresent(textOf(kept), { user: 21, everyone: 5, isSure: false })).to.equal(undefined);
  });

  it('lives under the old and the next epoch while it is raised, and under no other', () => {
    const moving = textOf(addEpoch(kept, 30));
    for (const user of [20, 30]) expect(parsePresent(moving, { user, everyone: 5, isSure: true })?.version).to.equal(2);
    for (const user of [19, 21, 29, 31])
      expect(parsePresent(moving, { user, everyone: 5, isSure: true })).to.equal(undefined);
  });
});
