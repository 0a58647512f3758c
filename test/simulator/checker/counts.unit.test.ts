import { expect } from 'chai';
import { countsOf } from '#src/simulator/checker/check.js';
import type { LabRecord } from '#src/simulator/history/records.js';
import { run } from '../judged.js';

const counted = (counts: LabRecord['counts']) => countsOf({ lab: { ...run.lab, ...(counts && { counts }) } });

describe('counts of the members', () => {
  it('are added up for each reason', () => {
    const { noSession, stores } = counted({
      'backend-1': { opened: 40, absent: 3, forged: 2 },
      'backend-2': { opened: 50, absent: 4, unknown: 9 },
      memcached: { evictions: 7 },
    });
    expect(noSession).to.include({ absent: 7, forged: 2, unknown: 9, expired: 0 });
    expect(stores).to.deep.equal({ evictions: 7 });
  });

  it('give the most requests that one backend had at once, and no reason for a missing session', () => {
    const { backends, noSession } = counted({ 'backend-1': { atOnceMax: 7 }, 'backend-2': { atOnceMax: 9 } });
    expect([backends.atOnceMax, noSession.forged]).to.deep.equal([9, null]);
  });

  it('add up the requests that backends served with an old list of ended sessions', () => {
    const { backends } = counted({ 'backend-1': { absent: 1, cutOff: 7 }, 'backend-2': { absent: 1, cutOff: 2 } });
    expect(backends.cutOff).to.equal(9);
    expect(counted({ 'backend-1': { absent: 3 } }).backends.cutOff).to.equal(0);
    expect(counted({ memcached: { evictions: 7 } }).backends.cutOff).to.equal(null);
  });

  it('are null instead of 0 for a count that no member reported', () => {
    expect(counted(undefined).noSession.forged).to.equal(null);
    expect(counted({ memcached: { evictions: 7 } }).noSession.forged).to.equal(null);
    expect(counted({ 'backend-1': { absent: 3 } }).stores.evictions).to.equal(null);
    expect(counted({ 'backend-1': { absent: 3 } }).backends.atOnceMax).to.equal(null);
  });
});
