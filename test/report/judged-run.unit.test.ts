import { expect } from 'chai';
import { describeIdleLogouts } from '#src/report/judged-run.js';
import { check } from '#src/simulator/checker/check.js';
import type { Findings, Incident } from '#src/simulator/checker/findings.js';
import { runOf, user } from '#test/simulator/checker/histories.js';
import { findings } from '#test/simulator/judged.js';

const incident: Incident = {
  kind: 'logged-out',
  user: 'ann',
  session: 1,
  sinceMs: 0,
  seenMs: 9000,
  operations: [1, 2],
  pauseMs: 4_200,
};

function endingAfter(pauseMs: number, candidates: readonly string[] | undefined): Findings {
  return { ...findings, incidents: [{ ...incident, pauseMs, ...(candidates && { candidates }) }] };
}

describe('idle logouts', () => {
  it('are reported when no fault explains them and no session survived such a pause', () => {
    expect(describeIdleLogouts(endingAfter(4_200, []))).to.deep.equal([
      '1 session ended after pauses of 4.2 s and more, and no fault explains it. The longest pause that a session survived was 0.9 s: check the idle limit of the app, or shorten users.think.',
    ]);
    expect(describeIdleLogouts(endingAfter(4_200, undefined))).to.have.length(1);
  });

  it('are not reported when a fault explains them, sessions survived longer pauses, or the pause was short', () => {
    expect(describeIdleLogouts(endingAfter(4_200, ['kill']))).to.deep.equal([]);
    expect(describeIdleLogouts({ ...endingAfter(4_200, []), pauses: { longestSurvivedMs: 5_000 } })).to.deep.equal([]);
    expect(describeIdleLogouts(endingAfter(950, []))).to.deep.equal([]);
  });

  it('are found in a history by the time since the session was last used', () => {
    const history = 'login, @100-105 whoami, @700-705 whoami, @3705-3710 whoami anonymous';
    const found = check(runOf(user('ann', history)));
    expect(found.pauses).to.deep.equal({ longestSurvivedMs: 595 });
    expect(found.incidents.map(({ pauseMs }) => pauseMs)).to.deep.equal([3000]);
  });
});
