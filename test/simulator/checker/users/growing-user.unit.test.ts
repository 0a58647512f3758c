import { expect } from 'chai';
import { newTally, type Tally } from '#src/simulator/checker/findings.js';
import { GrowingUser, presentStateOf } from '#src/simulator/checker/users/growing-user.js';
import { bySending } from '#src/simulator/checker/users/operations.js';
import { judgeUser, rulesOf, type UserRules } from '#src/simulator/checker/users/user-pass.js';
import type { Operation } from '#src/simulator/history/records.js';
import { fault, runOf, user } from '../histories.js';

const rules = rulesOf(runOf([]));

/** Keeps which writes of each part are missing, and counts how often a part was judged. */
function grow(text: string) {
  const counted = { parts: 0 };
  const growing = new GrowingUser(
    (_story, { writes }: Tally) => {
      counted.parts += 1;
      return writes.missing;
    },
    user('ann', text),
  );
  return { growing, counted };
}

/** Adds the last of these operations. The others give it its session. */
function addLast(growing: GrowingUser<unknown>, text: string): void {
  growing.add(user('ann', text).at(-1) as Operation);
}

/** Judges all operations at once. */
function missingOf(operations: readonly Operation[], by: UserRules): number {
  const tally = newTally();
  judgeUser(operations, by, tally);
  return tally.writes.missing;
}

describe('a growing user', () => {
  it('is judged in parts that end at its logouts', () => {
    const { growing } = grow('login, add x, read, logout, login, add y, logout, login, add z, read');
    expect(growing.judge(rules)).to.deep.equal([1, 0, 1]);
  });

  for (const [what, text] of Object.entries({
    'the system logged it out': 'login, add x, whoami anonymous, login, read',
    'it did not log out': 'login, add x, login, read',
    'its logout failed': 'login, add x, logout!, login, read',
  })) {
    it(`is judged as a whole when ${what}`, () => {
      const { growing } = grow(text);
      expect(growing.judge(rules)).to.have.length(1);
    });
  }

  it('is judged again only in the part that has another operation', () => {
    const text = 'login, add x, read, logout, login, add y';
    const { growing, counted } = grow(text);
    growing.judge(rules);
    counted.parts = 0;
    expect(growing.judge(rules)).to.deep.equal([1, 0]);
    expect(counted.parts).to.equal(0);
    addLast(growing, `${text}, read`);
    expect(growing.judge(rules)).to.deep.equal([1, 1]);
    expect(counted.parts).to.equal(1);
  });

  it('is judged again after a strike or a healing only in the parts that it concerns', () => {
    const { growing, counted } = grow(
      'login, add x, read, logout, login, add y, @500-505 read, @2000-2005 read, logout, login, @3000-3005 read',
    );
    const judge = (healedMs: number | null) => {
      counted.parts = 0;
      growing.judge(rulesOf(runOf([], { faults: [fault('kill', 100, 100, healedMs)] })));
      return counted.parts;
    };
    expect(judge(null)).to.equal(3);
    expect(judge(1000), 'the second part was read before and after the healing').to.equal(2);
    expect(judge(1500), 'the third part was only read after it').to.equal(1);
    expect(judge(5000)).to.equal(2);
  });

  it('judges a part again when one of its operations ends late', () => {
    const text = 'login, add x, logout, login, add y';
    const { growing } = grow(text);
    expect(growing.judge(rules)).to.deep.equal([0, 0]);
    addLast(growing, 'login, @21-300 read');
    expect(growing.judge(rules)).to.deep.equal([0, 0]);
    addLast(growing, 'login, @26-29 read');
    expect(growing.judge(rules)).to.deep.equal([1, 0]);
  });

  for (const [what, text] of Object.entries({
    'a later session shows what was missing': 'login, add x, read, logout, login, read x',
    'a later session removes what was missing': 'login, add x, read, logout, login, remove x',
    'a later session adds the same item': 'login, add x, read, logout, login, add x, read x',
  })) {
    it(`is judged as a whole when ${what}`, () => {
      const operations = user('ann', text);
      for (let count = 1; count <= operations.length; count += 1) {
        const { growing } = grow(text.split(',').slice(0, count).join(','));
        const missing = growing.judge(rules).reduce((sum, each) => sum + each, 0);
        expect(missing, `${count} operations`).to.equal(missingOf(operations.slice(0, count), rules));
      }
      const { growing } = grow(text);
      expect(growing.judge(rules)).to.have.length(1);
    });
  }

  it('has a part that begins before its first login', () => {
    const { growing } = grow('whoami anonymous, login, add x, logout, login, add y');
    expect(growing.judge(rules)).to.have.length(2);
  });

  it('has an operation in the part in which it was sent, however late it ends', () => {
    const operations = user('ann', 'login, add x, logout, @35-300 whoami anonymous, @40-45 login, add y');
    const growing = new GrowingUser(story => story.operations.length);
    for (const operation of operations) if (operation.doneMs < 300) growing.add(operation);
    expect(growing.judge(rules)).to.deep.equal([3, 2]);
    growing.add(operations[3] as Operation);
    expect(growing.judge(rules)).to.deep.equal([4, 2]);
  });

  it('is judged as a whole when it has a session number again', () => {
    const growing = new GrowingUser((_story, { users }) => users.loggedOut);
    const operations = user('ann', 'login, whoami anonymous, logout, login, logout, login, whoami');
    for (const operation of operations.slice(0, 5)) growing.add(operation);
    expect(growing.judge(rules)).to.deep.equal([1, 0]);
    for (const operation of operations.slice(5)) growing.add({ ...operation, session: 1 });
    expect(growing.judge(rules)).to.deep.equal([0]);
  });

  it('is judged again when only a read-back verifies, and a part has one', () => {
    const growing = new GrowingUser(
      (_story, { writes }) => writes.lost,
      user('ann', 'login, add x, read, final read anonymous, logout, login'),
    );
    const lost = (healedMs: number | null) =>
      growing.judge(rulesOf(runOf([], { faults: [fault('kill', 0, 0, healedMs)] })));
    expect(lost(1000)).to.deep.equal([1, 0]);
    expect(lost(null)).to.deep.equal([0, 0]);
  });

  it('keeps its operations in the order of sending', () => {
    const operations = user('ann', '@10-90 login, @20-25 whoami, @30-35 read');
    const growing = new GrowingUser(() => 0, operations.toReversed());
    expect(growing.operations).to.deep.equal(operations.toSorted(bySending));
  });
});

/** Returns the state while a fault is active, so that no read verifies anything. */
function stateAfter(history: string): string {
  const rules = rulesOf(runOf([], { faults: [fault('kill', 0, 1, null)] }));
  return presentStateOf(judgeUser(user('ann', history), rules, newTally()).story);
}

describe('the present state of a user', () => {
  for (const [state, cases] of Object.entries({
    arriving: {
      'a login failed': 'login!',
      'a login has an unknown outcome': 'login?',
      'it only looked around': 'whoami anonymous',
    },
    in: {
      'it logged in': 'login',
      'a read showed every write': 'login, add x, add y, read x y',
      'a write is not read yet': 'login, add x',
      'a request failed': 'login, whoami!',
      'it was refused, and then accepted again': 'login, whoami anonymous, whoami',
      'it was refused, and logged in again': 'login, add x, whoami anonymous, login',
      'a read showed a write whose outcome was unknown': 'login, add x?, read x',
      'a read no longer shows what a logout took': 'login, add x, logout, login, read',
      'a read does not show what was removed': 'login, add x, remove x, read',
      'a write came back': 'login, add x, read, read x',
      'its old session was answered for another user': 'login, logout, login, replay as bob',
      'an answer named another user, and a later one named it': 'login, whoami as bob, whoami',
    },
    'in-doubt': {
      'an add has an unknown outcome': 'login, add x?',
      'a removal has an unknown outcome': 'login, add x, read x, remove x?',
      'the read began before the add ended': 'login, @20-60 add x?, @30-70 read x',
      'no read showed a cart since': 'login, add x?, whoami, read!',
    },
    'has-lost': {
      'a read misses an acknowledged write': 'login, add x, read',
      'a read misses what an earlier read showed': 'login, add x?, read x, read',
      'a read after another login misses a write': 'login, add x, whoami anonymous, login, read',
      'another write is in doubt': 'login, add x, read, add y?',
    },
    'logged-out': {
      'an answer was anonymous': 'login, whoami anonymous',
      'another login failed': 'login, whoami anonymous, login!',
      'another login has an unknown outcome': 'login, whoami anonymous, login?',
      'a write is missing, too': 'login, add x, read, read anonymous',
    },
    'someone-else': {
      'the last answer named another user': 'login, whoami as bob',
      'a later request got no answer': 'login, read x as bob, whoami!',
      'it is not logged in': 'whoami as bob',
    },
    gone: {
      'it logged out': 'login, logout',
      'its logout has an unknown outcome': 'login, logout?',
      'an anonymous answer followed its logout': 'login, logout, whoami anonymous',
      'its old session was tried': 'login, logout, replay',
    },
  })) {
    for (const [why, history] of Object.entries(cases)) {
      it(`is "${state}" when ${why}`, () => {
        expect(stateAfter(history)).to.equal(state);
      });
    }
  }

  it('is "in" when its logout certainly failed', () => {
    expect(stateAfter('login, logout!')).to.equal('in');
  });
});
