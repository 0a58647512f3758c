import { expect } from 'chai';
import { newTally } from '#src/simulator/checker/tally.js';
import { presentStateOf } from '#src/simulator/checker/users/present-state.js';
import { judgeUser, rulesOf } from '#src/simulator/checker/users/user-pass.js';
import { fault, runOf, user } from '../histories.js';

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
