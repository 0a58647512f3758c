import { expect } from 'chai';
import { findSetCookie, type Learned, LearnedBindings } from '#src/proxy/affinity/learned-affinity.js';
import { Member } from '#src/proxy/pool/member.js';

const owner = new Member('backend-1', new URL('http://127.0.0.1:1'), {
  boundIdleMs: 1000,
  now: () => 0,
  onEvent: () => {},
  onStateChange: () => {},
});

function learn(browser: string, issued: boolean, returned: boolean): Learned {
  owner.bound.see(browser, 0);
  const claims = { backendId: '', incarnation: '', issuedMs: 0, seenMs: 0, browser };
  return { owner, claims, mustNotify: false, issued, returned };
}

describe('LearnedBindings', () => {
  const max = { confirmed: 3, fresh: 3, claimed: 3 };

  for (const [what, issued, returned] of [
    ['tokens that clients invent', false, true],
    ['tokens that no client returns', true, false],
  ] as const) {
    it(`keeps the tokens of users in a flood of ${what}`, () => {
      const bindings = new LearnedBindings(max);
      const user = learn('user', true, true);
      bindings.set(user);
      for (let nth = 0; nth < 100; nth += 1) bindings.set(learn(`flood-${nth}`, issued, returned));
      expect(bindings.find('user')).to.equal(user);
      const kept = Array.from({ length: 100 }, (_, nth) => nth).filter(nth => bindings.find(`flood-${nth}`));
      expect(kept).to.deep.equal([97, 98, 99]);
    });
  }

  it('forgets the token that was unused for longest, which is no longer bound', () => {
    const bindings = new LearnedBindings(max);
    owner.bound.clear();
    for (const name of ['a', 'b', 'c', 'a', 'd']) bindings.set(learn(name, true, true));
    expect(['a', 'b', 'c', 'd'].map(name => bindings.find(name) !== undefined)).to.deep.equal([
      true,
      false,
      true,
      true,
    ]);
    expect(owner.bound.count(0)).to.equal(3);
  });

  it('moves a token to the users when a client returns it, and when a backend confirms it', () => {
    const bindings = new LearnedBindings(max);
    for (const name of ['fresh', 'claimed']) {
      bindings.set(learn(name, name === 'fresh', name !== 'fresh'));
      bindings.set(learn(name, true, true));
    }
    for (let nth = 0; nth < 10; nth += 1) {
      bindings.set(learn(`fresh-${nth}`, true, false));
      bindings.set(learn(`claimed-${nth}`, false, true));
    }
    expect([bindings.find('fresh')?.returned, bindings.find('claimed')?.issued]).to.deep.equal([true, true]);
    bindings.forget('fresh');
    expect(bindings.find('fresh')).to.equal(undefined);
  });
});

describe('LearnedBindings after a restart', () => {
  const listed = (bindings: LearnedBindings) =>
    bindings.list().map(({ claims, issued, returned }) => ({ name: claims.browser, issued, returned }));

  it('has the tokens of its predecessor in the same groups and in the same order', () => {
    const before = new LearnedBindings();
    for (const name of ['b', 'a']) before.set(learn(`user-${name}`, true, true));
    before.set(learn('fresh', true, false));
    before.set(learn('claimed', false, true));
    const successor = new LearnedBindings();
    for (const learned of before.list()) successor.adopt(learned);
    expect(listed(successor)).to.deep.equal(listed(before));
    expect(listed(successor).map(({ name }) => name)).to.deep.equal(['user-b', 'user-a', 'fresh', 'claimed']);
  });

  it('counts no browser as bound that has not returned its token', () => {
    const fresh = learn('fresh', true, false);
    const user = learn('user', true, true);
    owner.bound.clear();
    const successor = new LearnedBindings();
    for (const learned of [fresh, user]) successor.adopt(learned);
    expect(owner.bound.count(0)).to.equal(1);
  });
});

describe('findSetCookie', () => {
  for (const [joined, value] of [
    [undefined, undefined],
    ['a=1', undefined],
    ['xsid=1; Path=/', undefined],
    ['sid=1', '1'],
    ['sid=1; Path=/; HttpOnly', '1'],
    ['a=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT, sid=2; Path=/', '2'],
    ['sid=2; Expires=Wed, 21 Oct 2099 07:28:00 GMT, a=1', '2'],
    ['sid=1, sid=2', '2'],
    ['sid=a=b', 'a=b'],
    ['a=1; Comment=sid=5', undefined],
    ['sid=1; Max-Age=0', ''],
    ['sid=1; max-age=-1', ''],
    ['sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT', ''],
    ['sid=1; Max-Age=60', '1'],
    ['sid=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60', '1'],
    ['sid=1; Max-Age=0; Expires=Wed, 21 Oct 2099 07:28:00 GMT', ''],
    ['sid=1; Max-Age=', '1'],
    ['sid=1; Max-Age=never', '1'],
    ['sid="a b"; Path=/', '"a b"'],
  ] as const) {
    it(`finds ${value === undefined ? 'nothing' : `"${value}"`} in "${joined}"`, () =>
      expect(findSetCookie(joined, 'sid')).to.equal(value));
  }
});
