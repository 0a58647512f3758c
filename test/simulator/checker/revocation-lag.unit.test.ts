import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import { runOf, user } from './histories.js';

const lagMs = 1000;

/** Returns the number of users whose logout was not honoured, with a revocation lag of one second. */
function notHonoured(history: string, replaySession = 1, lag: number | 'none' = lagMs): number {
  const operations = user('ann', history).map(operation =>
    operation.kind === 'replay' ? { ...operation, session: replaySession } : operation,
  );
  const { header } = runOf(operations);
  const headed = lag === 'none' ? header : { ...header, revocationLagMs: lag };
  return check(runOf(operations, { header: headed })).users.logoutNotHonoured;
}

/** Returns the measured lags of one user's logouts. */
function lagsOf(history: string) {
  return check(runOf(user('ann', history))).revocationLagMs;
}

describe('the checker measures how long an old session is accepted', () => {
  it('from the answer to the logout until the last request that was accepted', () => {
    const replays = '@200-205 replay as ann, @220-225 replay, @240-245 replay as ann, @260-265 replay';
    expect(lagsOf(`login, @100-200 logout, ${replays}`)).to.deep.equal({ p50: 40, p90: 40, p99: 40, max: 40 });
  });

  it('as 0 when it was refused at once', () => {
    expect(lagsOf('login, @100-200 logout, @200-205 replay, @220-225 replay').max).to.equal(0);
  });

  it('not at all when it was tried only once, after the delay', () => {
    expect(lagsOf('login, @100-200 logout, @1300-1305 replay').max).to.equal(null);
  });
});

describe('the checker and the revocation lag of a mode', () => {
  const cases: readonly (readonly [what: string, history: string, users: number])[] = [
    ['accepts an ended session within the lag', 'login, @100-200 logout, @1199-1210 replay as ann', 0],
    ['reports an ended session when the lag has just passed', 'login, @100-200 logout, @1200-1210 replay as ann', 1],
    ['reports an ended session that shows only its cart', 'login, add x, @100-200 logout, @1200-1210 replay x', 1],
    [
      'accepts a request that began within the lag and ended after it',
      'login, @100-200 logout, @1100-1900 replay as ann',
      0,
    ],
    [
      'applies to the requests of the browser itself',
      'login, @100-200 logout, @1100-1110 whoami, @1200-1210 whoami',
      1,
    ],
    [
      'counts the lag from the answer to the logout, and not from the request',
      'login, @100-900 logout, @1500-1510 replay as ann',
      0,
    ],
  ];
  for (const [what, history, users] of cases) {
    it(what, () => expect(notHonoured(history)).to.equal(users));
  }

  it('assumes no lag when the header names none', () => {
    expect(notHonoured('login, @100-200 logout, @201-210 replay as ann', 1, 'none')).to.equal(1);
  });

  it('counts the lag from the logout of the replayed session, even after later logouts', () => {
    const twice = 'login, @100-200 logout, @300-310 login, @1150-1160 logout, @1201-1210 replay as ann';
    expect(notHonoured(twice, 1)).to.equal(1);
    expect(notHonoured(twice, 2)).to.equal(0);
  });

  it('reports two incidents for two logouts that were not honoured', () => {
    const history = 'login, logout, login, logout, @1500-1510 replay as ann, @1520-1530 replay as ann';
    const [first, second] = [1, 2];
    const operations = user('ann', history).map((operation, index) =>
      operation.kind === 'replay' ? { ...operation, session: index === 4 ? first : second } : operation,
    );
    const { incidents } = check(runOf(operations));
    expect(incidents.map(({ kind, session }) => `${kind} ${session}`)).to.deep.equal([
      'logout-not-honoured 1',
      'logout-not-honoured 2',
    ]);
  });
});
