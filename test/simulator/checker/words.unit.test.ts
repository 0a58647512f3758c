import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import { runOf, user, wrongs } from './histories.js';

/** Each finding: a history that has it, and histories that almost have it. All counts not named are zero. */
const cases: readonly (readonly [name: string, history: string, expected: Record<string, number>])[] = [
  ['nothing wrong', 'login, add x, read x, add y, remove x, read y, whoami, final read y', {}],
  ['a history of one login', 'login', {}],

  ['lost: a hole', 'login, add x, add y, add z, final read x z', { lost: 1, readYourWrites: 1, monotonicWrites: 1 }],
  ['lost: never seen by any read since', 'login, add x, add y, read x, final read x', { lost: 1, readYourWrites: 2 }],
  [
    'lost: an unknown add that had been seen',
    'login, add a, add x?, read a x, final read a',
    { lost: 1, recovered: 1, monotonicReads: 1 },
  ],
  ['unverified: the final read is anonymous', 'login, add x, read x, final read anonymous', unverified()],
  [
    'unverified: the second login fails too',
    'login, add x, read x, final read anonymous, login!, final read anonymous',
    unverified(),
  ],
  [
    'lost: missing after the second login',
    'login, add a, add x, read a x, final read anonymous, login, final read a',
    { ...hard(), lost: 1, readYourWrites: 1, monotonicReads: 1 },
  ],
  [
    'not lost but logged out: shown after the second login',
    'login, add x, read x, final read anonymous, login, final read x',
    hard(),
  ],
  ['not unverified: acknowledged after the own logout began', 'login, add x, read x, @50-80 add y, @60-90 logout', {}],
  ['lost: in a session that was lost too', 'login, add x, add y, read anonymous, login, final read', lostWithSession()],
  ['not lost: the read began before the acknowledgement', 'login, @20-40 add x, @30-50 read, final read x', {}],
  ['not lost: possibly removed', 'login, add x, remove x?, final read', {}],
  ['not lost: rightly removed', 'login, add x, read x, remove x, final read', {}],
  ['not lost: an unknown add that no read showed', 'login, add x?, final read', {}],
  ['not lost: gone after the own logout', 'login, add x, read x, logout, login, final read', {}],
  ['not lost: gone after a logout that may have happened', 'login, add x, read x, logout?, read, final read', {}],
  [
    'not lost: in a session replaced while an answer to the session before was in flight',
    'login, @30-50 whoami anonymous, @20-40 login, @41-45 add x, @60-65 login, final read',
    { unverified: 1 },
  ],
  [
    'lost: in a session that was found lost while other requests were in flight',
    'login, add x, add y, @50-80 whoami anonymous, @55-60 whoami, @90-95 login, final read',
    lostWithSession(),
  ],
  ['not lost: gone after a login during the session', 'login, add x, read x, login, final read', {}],
  ['not lost: read in flight at the logout', 'login, add x, read x, @50-80 read, @60-70 logout', {}],
  ['lost: a logout that failed ends nothing', 'login, add a, add x, read a x, logout!, final read a', seenThenLost()],
  [
    'lost: a removal that failed removes nothing',
    'login, add a, add x, read a x, remove x!, final read a',
    seenThenLost(),
  ],
  ['lost: judged by the reads before the logout', 'login, add a, add x, read a x, read a, logout', seenThenLost()],

  [
    'stale: known since the earlier of two acknowledgements',
    'login, @20-30 add x, @25-80 add x, @40-50 read, @90-95 read x',
    { stale: 1, readYourWrites: 1 },
  ],
  ['stale', 'login, add x, read, read x', { stale: 1, readYourWrites: 1 }],
  [
    'stale: had been seen',
    'login, add a, add x, read a x, read a, read a x',
    { stale: 1, readYourWrites: 1, monotonicReads: 1 },
  ],
  ['not stale: the read was in flight', 'login, @20-30 add x, @25-50 read, read x', {}],
  ['not stale: the read failed', 'login, add x, read!, read x', {}],
  ['not stale but logged out: the read was anonymous', 'login, add x, read anonymous, read x', flicker()],

  ['unverified: no read at all', 'login, add x', { unverified: 1 }],
  ['unverified: no read after it', 'login, add x, read x, add y', { unverified: 1 }],
  ['unverified: later reads failed', 'login, add x, read!, final read!', { unverified: 1 }],
  ['not unverified: shown after the logout', 'login, add x, logout, login, final read x', {}],
  ['unverified: not shown after the logout', 'login, add x, logout, login, final read', { unverified: 1 }],
  ['not unverified: an unknown add', 'login, add x?', {}],
  ['not unverified: removed', 'login, add x, remove x', {}],

  ['recovered', 'login, add x?, read x', { recovered: 1 }],
  ['recovered: long after', 'login, add x?, read, read, final read x', { recovered: 1 }],
  ['not recovered: acknowledged', 'login, add x, read x', {}],

  ['phantom', 'login, add x, read x z', { phantom: 1 }],
  ['phantom: once for each token', 'login, read z, read z, read y z', { phantom: 2 }],
  ['phantom: shown before it was added', 'login, read x, add x, read x', { phantom: 1 }],
  ['not phantom: from before the logout', 'login, add x, read x, logout, login, read x', {}],
  ['not phantom: the add is in flight', 'login, @20-60 add x, @30-40 read x, final read x', {}],
  ['not phantom: quantity 0', 'login, read z*0', {}],

  ['failed-visible', 'login, add x!, read x', { failedVisible: 1 }],
  ['not failed-visible: the second try succeeded', 'login, add x!, add x, read x', {}],

  ['duplicated', 'login, add x, read x*2', { duplicated: 1 }],
  ['duplicated: once for each token', 'login, add x, read x*2, read x*3', { duplicated: 1 }],
  ['not duplicated: the failed try does not count', 'login, add x!, add x, read x*2', { duplicated: 1 }],
  ['not duplicated: both tries can have happened', 'login, add x?, add x, read x*2', {}],

  ['resurrected', 'login, add x, remove x, read x', { resurrected: 1, readYourWrites: 1 }],
  [
    'resurrected: had been gone',
    'login, add x, read x, remove x, read, read x',
    { resurrected: 1, readYourWrites: 1, monotonicReads: 1 },
  ],
  ['not resurrected: the removal is in flight', 'login, add x, @30-50 remove x, @40-45 read x, read', {}],
  ['not resurrected: the removal may not have happened', 'login, add x, remove x?, read x', {}],
  ['not resurrected: the add may have come after', 'login, add x?, remove x, read x', { recovered: 1 }],
  [
    'not resurrected: back after a removal that may have happened',
    'login, add x, remove x?, read, read x',
    { monotonicReads: 1 },
  ],

  ['hard', 'login, whoami anonymous, whoami anonymous', hard()],
  ['hard: logged in again', 'login, whoami anonymous, login, whoami', hard()],
  ['hard: another login, possibly successful', 'login, whoami anonymous, login?, whoami', hard()],
  ['hard: by an add', 'login, add x anonymous', hard()],
  ['flicker', 'login, whoami anonymous, whoami', flicker()],
  ['flicker, then hard, counts once', 'login, whoami anonymous, whoami, whoami anonymous', hard()],
  [
    'flicker in one session, hard in the next',
    'login, whoami anonymous, whoami, logout, login, whoami anonymous',
    hard(),
  ],
  [
    'not flicker: the accepted request was in flight at the same time',
    'login, @20-60 whoami anonymous, @30-40 whoami',
    hard(),
  ],
  [
    'not flicker: the accepted request was in flight with one of two refused ones',
    'login, @20-60 whoami anonymous, @30-40 whoami anonymous, @50-55 whoami',
    hard(),
  ],
  ['not logged out: in flight at the logout', 'login, @20-60 whoami anonymous, @30-40 logout', {}],
  ['not logged out: after the logout', 'login, logout, whoami anonymous', {}],
  ['not logged out: after a logout that may have happened', 'login, logout?, whoami anonymous', {}],
  ['not logged out: in flight at a second login', 'login, @20-40 whoami anonymous, @25-30 login, add x, read x', {}],
  ['logged out: the logout failed', 'login, logout!, whoami anonymous', hard()],
  ['not logged out: before the login', 'whoami anonymous, login, whoami', {}],
  ['not logged out: the login may not have happened', 'login?, whoami anonymous', {}],
  ['not logged out: sent before the login ended', '@10-30 login, @20-40 whoami anonymous, whoami', {}],
  ['not logged out: only an error', 'login, whoami!, whoami', {}],

  ['silent reset', 'login, add x, add y, read x y, read', reset({ lost: 2, monotonicReads: 1 })],
  ['silent reset: never read before', 'login, add x, add y, read', reset({ lost: 2 })],
  ['no silent reset: a single write, seen before', 'login, add x, read x, read', seenThenLost()],
  [
    'silent reset: later writes are there',
    'login, add x, add y, read x y, add z, read z',
    reset({ lost: 2, monotonicReads: 1, monotonicWrites: 1, writesFollowReads: 1 }),
  ],
  ['no silent reset: one write that no read showed', 'login, add x, read', { lost: 1, readYourWrites: 1 }],
  ['no silent reset: removed', 'login, add x, add y, read x y, remove x, remove y?, read', {}],
  [
    'no silent reset: the write comes back',
    'login, add x, read x, read, read x',
    { stale: 1, readYourWrites: 1, monotonicReads: 1 },
  ],
  [
    'no silent reset: some writes are left',
    'login, add x, add y, read x y, read y',
    { lost: 1, readYourWrites: 1, monotonicReads: 1, monotonicWrites: 1 },
  ],
  [
    'no silent reset but hard: logged in again',
    'login, add x, add y, read x y, whoami anonymous, login, read',
    {
      ...hard(),
      lost: 2,
      readYourWrites: 1,
      monotonicReads: 1,
    },
  ],

  ['identity swapped', 'login, whoami as bob, whoami', { identitySwapped: 1 }],
  ['identity swapped: counts users', 'login, whoami as bob, read as bob, logout, login as bob', { identitySwapped: 1 }],
  [
    'identity swapped: with the cart of the other',
    'login, add x, read z as bob, read x',
    { identitySwapped: 1, phantom: 1 },
  ],
  ['not swapped: anonymous', 'login, logout, whoami anonymous', {}],

  ['logout not honoured: old cookies', 'login, logout, replay as ann', { logoutNotHonoured: 1 }],
  [
    'logout not honoured: old cookies show the cart',
    'login, add x, read x, logout, replay x',
    { logoutNotHonoured: 1 },
  ],
  ['logout not honoured: still logged in', 'login, logout, whoami', { logoutNotHonoured: 1 }],
  ['logout not honoured: counts users', 'login, logout, whoami, login, logout, whoami', { logoutNotHonoured: 1 }],
  ['not ignored: logged in again', 'login, logout, login, whoami', {}],
  ['not ignored: a login was tried', 'login, logout, login?, whoami', {}],
  ['not ignored: in flight', 'login, @20-40 logout, @30-50 whoami', {}],
  ['not ignored: not acknowledged', 'login, logout?, whoami', {}],
  ['not ignored: old cookies are refused', 'login, logout, replay, login, whoami', {}],

  ['session kept', 'login, logout, login kept, whoami', { sessionKept: 1 }],
  ['session kept: from before the first login', 'login kept, whoami', { sessionKept: 1 }],
  ['session kept: counts users', 'login kept, whoami, logout, login kept, whoami', { sessionKept: 1 }],
  ['not kept: the login may not have happened', 'login, logout, login kept?, login, whoami', {}],
  ['not kept: the login was refused', 'login, logout, login kept!, login, whoami', {}],
  ['not kept but logged out: the system refuses the cookie', 'login, logout, login kept, whoami anonymous', hard()],

  ['read your writes: not for a write in flight', 'login, @20-50 add x, @30-60 read, @70-80 read x', {}],
  [
    'monotonic writes: not without a later write',
    'login, add x, add y, read x, read x y',
    { stale: 1, readYourWrites: 1 },
  ],
  [
    'writes follow reads',
    'login, add x?, read x, add y, read y, read x y',
    { recovered: 1, stale: 1, monotonicReads: 1, writesFollowReads: 1 },
  ],
  [
    'writes follow reads: not for a write before the read',
    'login, add x?, add y, read x y, read y, read x y',
    { recovered: 1, stale: 1, monotonicReads: 1 },
  ],
];

function hard() {
  return { loggedOut: 1, loggedOutHard: 1 };
}

function unverified() {
  return { ...hard(), unverified: 1 };
}

function flicker() {
  return { loggedOut: 1, flickered: 1 };
}

function reset(more: Record<string, number>) {
  return { loggedOut: 1, silentlyReset: 1, readYourWrites: 1, ...more };
}

function lostWithSession() {
  return { ...hard(), lost: 2, readYourWrites: 1 };
}

function seenThenLost() {
  return { lost: 1, readYourWrites: 1, monotonicReads: 1 };
}

describe('the findings of the checker', () => {
  for (const [name, history, expected] of cases) {
    it(name, () => {
      expect(wrongs(check(runOf(user('ann', history))))).to.deep.equal(expected);
    });
  }
});
