import { expect } from 'chai';
import { LiveHistory } from '#src/live/live-history.js';
import type { StrikeState } from '#src/live/protocol.js';
import { check } from '#src/simulator/checker/check.js';
import type { FaultRecord, MemberRecord, Operation, RunHeader } from '#src/simulator/history/records.js';
import { fault, runOf, user, wrongs } from '../simulator/checker/histories.js';
import { system, twoProxies } from '../simulator/checker/struck-runs.js';
import { countsOf, countsOfReport, lab } from './told-run.js';

const header: RunHeader = { ...runOf([]).header, system };

function made(more: Partial<ConstructorParameters<typeof LiveHistory>[0]> = {}): LiveHistory {
  return new LiveHistory({ header, ...more });
}

/** Passes the operations of a user on, in the order of their ends, and judges them. */
function tell(history: LiveHistory, name: string, text: string): void {
  for (const operation of ended(name, text)) history.operation(operation);
  history.judgeAll();
}

/** Tells the last of these operations. The others give it its session. */
function tellLast(history: LiveHistory, name: string, text: string): void {
  history.operation(user(name, text).at(-1) as Operation);
  history.judgeAll();
}

function ended(name: string, text: string): Operation[] {
  return user(name, text).sort((a, b) => a.doneMs - b.doneMs);
}

function stateOf(history: LiveHistory, name: string, nowMs: number): string | undefined {
  return history.view(nowMs).users.find(one => one.name === name)?.state;
}

describe('the users of a live history', () => {
  it('arrive, and are in after their login, at the backend that answered last', () => {
    const history = made();
    history.userAdded('ann');
    expect(history.view(0).users).to.deep.equal([{ name: 'ann', state: 'arriving', member: null }]);
    const [login] = user('ann', '@10-15 login');
    history.operation({ ...login, backend: 'backend-2' } as Operation);
    history.judgeAll();
    expect(history.view(20).users).to.deep.equal([{ name: 'ann', state: 'in', member: 'backend-2' }]);
  });

  it('stay where they are when no backend answers', () => {
    const history = made();
    const [login, whoami] = user('ann', '@10-15 login, @20-25 whoami!');
    history.operation({ ...login, backend: 'backend-1' } as Operation);
    history.operation(whoami as Operation);
    expect(history.view(30).users[0]?.member).to.equal('backend-1');
  });

  it('wait when a request is in flight for more than 300 ms, until it ends', () => {
    const history = made();
    tell(history, 'ann', '@10-15 login');
    history.sent('ann', 1000);
    history.sent('ann', 1200);
    expect(stateOf(history, 'ann', 1300)).to.equal('in');
    expect(stateOf(history, 'ann', 1301)).to.equal('waiting');
    tellLast(history, 'ann', '@10-15 login, @1000-1400 whoami');
    expect(stateOf(history, 'ann', 1400)).to.equal('in');
    expect(stateOf(history, 'ann', 1501)).to.equal('waiting');
  });

  it('keep a state that is worse than waiting', () => {
    const history = made();
    tell(history, 'ann', '@10-15 login, @20-25 whoami anonymous');
    history.sent('ann', 1000);
    expect(stateOf(history, 'ann', 2000)).to.equal('logged-out');
  });

  it('are gone for three seconds after they left, and may come back', () => {
    const history = made();
    tell(history, 'ann', '@10-15 login');
    history.userLeft('ann');
    expect(stateOf(history, 'ann', 1000)).to.equal('gone');
    expect(stateOf(history, 'ann', 4000)).to.equal('gone');
    expect(stateOf(history, 'ann', 4001)).to.equal(undefined);
    expect(history.operationsOf('ann')).to.have.length(1);
    history.userAdded('ann');
    expect(stateOf(history, 'ann', 5000)).to.equal('in');
  });

  it('are the same objects while nothing changes', () => {
    const history = made();
    tell(history, 'ann', '@10-15 login');
    const [before] = history.view(100).users;
    tellLast(history, 'ann', '@10-15 login, @20-25 whoami');
    expect(history.view(200).users[0]).to.equal(before);
  });

  it('have their operations in the order of sending', () => {
    const history = made();
    tell(history, 'ann', '@10-15 login, @20-60 read, @30-35 whoami, @30-32 add x');
    expect(history.operationsOf('ann').map(({ id }) => id)).to.deep.equal([1, 2, 3, 4]);
    expect(history.record(lab).operations.map(({ id }) => id)).to.deep.equal([1, 4, 3, 2]);
    expect(history.operationsOf('bob')).to.deep.equal([]);
  });
});

describe('the members of a live history', () => {
  const said = (member: string, atMs: number, state: MemberRecord['state'], role?: string): MemberRecord => ({
    ...{ type: 'member', member, atMs, state },
    ...(role !== undefined && { role }),
  });

  it('are starting until they say more', () => {
    const history = made({ header: { ...header, system: twoProxies } });
    expect(history.view(0).members.map(({ name, state }) => `${name} ${state}`)).to.deep.equal([
      'backend-1 starting',
      'backend-2 starting',
      'proxy-1 starting',
      'proxy-2 starting',
    ]);
  });

  it('are spare until their first start when they do not run', () => {
    const history = made({ header: { ...header, system: twoProxies } });
    const shown = () => history.view(0).members.map(({ name, state }) => `${name} ${state}`);
    history.member(said('backend-2', 0, 'dead'));
    history.member(said('proxy-1', 0, 'dead'));
    expect(shown()).to.include.members(['backend-2 spare', 'proxy-1 dead']);
    history.member(said('backend-2', 50, 'dead'));
    expect(shown()).to.include('backend-2 spare');
    history.member(said('backend-2', 100, 'up'));
    history.member(said('backend-2', 200, 'dead'));
    expect(shown()).to.include('backend-2 dead');
  });

  it('have a state since a time, a role in the store, and the number of bound browsers', () => {
    const members = [{ name: 'redis.primary', role: 'store' } as const, ...system.members];
    const history = made({ header: { ...header, system: { ...system, members } } });
    history.member(said('redis.primary', 100, 'up', 'primary'));
    history.member(said('redis.primary', 200, 'up', 'replica'));
    history.member(said('backend-1', 300, 'up'));
    history.bound(new Map([['backend-1', 7]]));
    history.member(said('backend-1', 400, 'draining'));
    const [redis, backend] = history.view(500).members;
    expect(redis).to.deep.equal({
      name: 'redis.primary',
      role: 'store',
      state: 'up',
      sinceMs: 100,
      storeRole: 'replica',
    });
    expect(backend).to.deep.equal({ name: 'backend-1', role: 'backend', state: 'draining', sinceMs: 400, bound: 7 });
    history.bound(new Map());
    expect(history.view(500).members[1]).not.to.have.property('bound');
  });
});

describe('the strikes of a live history', () => {
  const kill = fault('kill', 1000, null, null);
  const confirmed: FaultRecord = { ...kill, confirmedMs: 1100, evidence: 'it is dead' };

  it('have a state and times, and the evidence or the problem', () => {
    const history = made();
    const before = history.view(0).counts;
    history.strike(kill, 'requested');
    expect(history.view(0).strikes).to.deep.equal([
      {
        ...{ id: 'kill', fault: 'kill', target: 'backend-1', doneInWords: 'was killed', state: 'requested' },
        ...{ requestedMs: 1000, confirmedMs: null, healedMs: null },
        ...{ exposed: 0, before },
      },
    ]);
    history.strike(confirmed, 'confirmed');
    expect(history.view(0).strikes[0]).to.include({ state: 'confirmed', confirmedMs: 1100, evidence: 'it is dead' });
    history.strike({ ...confirmed, healedMs: 2000, problem: 'it was slow' }, 'healed');
    expect(history.view(0).strikes).to.have.length(1);
    expect(history.view(0).strikes[0]).to.include({ state: 'healed', healedMs: 2000, problem: 'it was slow' });
  });

  it('have no words where the fault has none, or where a history of another version names it', () => {
    const history = made();
    for (const name of ['exec', 'melt', 'constructor']) {
      const strike = history.strike({ ...kill, id: name, fault: name }, 'requested');
      expect(strike, name).to.not.have.property('doneInWords');
    }
  });

  it('are copied, so that a later change of a record counts only when it is told', () => {
    const history = made();
    const record: { -readonly [Name in keyof FaultRecord]: FaultRecord[Name] } = { ...kill };
    history.strike(record, 'requested');
    record.confirmedMs = 1100;
    expect(history.record(lab).faults[0]?.confirmedMs).to.equal(null);
    history.strike(record, 'confirmed');
    expect(history.record(lab).faults[0]?.confirmedMs).to.equal(1100);
  });

  it('keep the counters from before them, so that a page that is opened later knows the difference', () => {
    const history = made();
    tell(history, 'ann', '@10-15 login, @20-25 add x');
    history.strike(kill, 'requested');
    tell(history, 'bob', '@1010-1015 login, @1020-1025 add y, @1030-1035 whoami anonymous');
    history.strike(confirmed, 'confirmed');
    const [strike] = history.view(1200).strikes;
    expect(strike?.before).to.include({ exposed: null, acknowledged: 1, loggedOut: 0 });
    expect(history.view(1200).counts).to.include({ acknowledged: 2, loggedOut: 1 });
    history.trim();
    expect(history.view(1200).strikes[0]?.before).to.include({ exposed: null, acknowledged: 0 });
  });

  it('expose users as the report says, and no user before the first strike', () => {
    const history = made();
    const [login] = user('ann', '@10-15 login');
    history.operation({ ...login, backend: 'backend-1' } as Operation);
    history.judgeAll();
    expect(history.view(0).counts.exposed).to.equal(null);
    history.strike(kill, 'requested');
    history.judgeAll();
    expect(history.view(0).counts.exposed).to.equal(1);
    expect(history.view(0).strikes[0]?.exposed).to.equal(1);
  });

  it('let a write be missing at once, and lost only when a read after the healing missed it', () => {
    const history = made();
    history.strike(confirmed, 'confirmed');
    tell(history, 'ann', '@10-15 login, @20-25 add x, @1200-1205 read');
    expect(history.view(1300).counts).to.include({ acknowledged: 1, missing: 1, lost: 0 });
    expect(history.view(1300).marks).to.deep.equal([{ kind: 'missing', user: 'ann', sinceMs: 25, seenMs: 1205 }]);
    expect(stateOf(history, 'ann', 1300)).to.equal('has-lost');
    history.strike({ ...confirmed, healedMs: 2000 }, 'healed');
    history.judgeAll();
    expect(history.view(2000).counts).to.include({ missing: 1, lost: 0 });
    tellLast(history, 'ann', '@10-15 login, @2200-2205 read');
    expect(history.view(2300).counts).to.include({ acknowledged: 1, missing: 1, lost: 1 });
    expect(history.view(2300).marks).to.deep.equal([{ kind: 'lost', user: 'ann', sinceMs: 25, seenMs: 1205 }]);
  });
});

describe('the marks of a live history', () => {
  it('are the logouts and foreign answers of the last minute, in the order in which they were seen', () => {
    const history = made();
    tell(history, 'ann', '@10-15 login, @2000-2005 whoami anonymous');
    tell(history, 'bob', '@10-15 login, @1000-1005 whoami as ann');
    expect(history.view(3000).marks).to.deep.equal([
      { kind: 'identity-swapped', user: 'bob', sinceMs: 15, seenMs: 1005 },
      { kind: 'logged-out', user: 'ann', sinceMs: 15, seenMs: 2005 },
    ]);
    expect(history.view(3000).counts).to.include({ loggedOut: 1, swapped: 1 });
    expect(history.view(61_500).marks).to.have.length(1);
    tellLast(history, 'ann', '@10-15 login, @70000-70005 whoami anonymous');
    expect(history.view(70_010).marks).to.deep.equal([]);
    expect(history.view(70_010).counts.loggedOut).to.equal(1);
  });
});

describe('more than a thousand marks of a live history', () => {
  it('are cut to the latest thousand', () => {
    const history = made();
    for (let i = 0; i < 1_001; i += 1)
      tell(history, `user-${i}`, `@10-15 login, @${2000 - i}-${2005 - i} whoami anonymous`);
    const { marks } = history.view(3000);
    expect(marks).to.have.length(1_000);
    expect(marks[0]).to.include({ user: 'user-999' });
    expect(marks.at(-1)).to.include({ user: 'user-0' });
  });
});

describe('the seconds of a live history', () => {
  it('count operations when they end, with the response times of those that were answered', () => {
    const history = made();
    for (const operation of ended('ann', '@10-15 login, @980-1020 add x, @1030-1050 add y?, @1100-1102 read!'))
      history.operation({ ...operation, ...(operation.outcome === 'unknown' && { error: 'timeout' }) });
    expect(history.view(2000).bins).to.deep.equal([
      { atMs: 0, ok: 1, failed: 0, unknown: 0, p50Ms: 5, p99Ms: 5 },
      { atMs: 1000, ok: 1, failed: 1, unknown: 1, p50Ms: 20, p99Ms: 40 },
    ]);
  });

  it('are those of the last minute', () => {
    const history = made();
    tell(history, 'ann', '@10-15 login, @1500-1505 whoami, @61000-61005 whoami');
    expect(history.view(61_100).bins.map(({ atMs }) => atMs)).to.deep.equal([1000, 61_000]);
    expect(history.view(62_000).bins.map(({ atMs }) => atMs)).to.deep.equal([61_000]);
  });

  it('give the 99th percentile of the last five seconds', () => {
    const history = made();
    expect(history.view(0).counts.p99Ms).to.equal(null);
    tell(history, 'ann', '@10-900 login, @2000-2007 whoami, @3000-3003 whoami');
    expect(history.view(5899).counts.p99Ms).to.equal(890);
    expect(history.view(5901).counts.p99Ms).to.equal(7);
    expect(history.view(9000).counts.p99Ms).to.equal(null);
  });
});

describe('judging a live history', () => {
  /** Ends one operation of each user. The clock of the budget advances 1 ms with each reading. */
  function withUsers(calm: number, troubled: number): LiveHistory {
    let nowMs = 0;
    const history = made({ now: () => (nowMs += 1) });
    for (let i = 0; i < calm; i += 1) history.operation(ended(`calm-${i}`, '@10-15 login')[0] as Operation);
    for (let i = 0; i < troubled; i += 1) history.operation(ended(`troubled-${i}`, '@10-15 login!')[0] as Operation);
    return history;
  }
  const judged = (history: LiveHistory) => ({
    calm: history.view(20).users.filter(({ state }) => state === 'in').length,
    troubled: history.view(20).counts.failed,
  });

  it('stops when the budget is spent, and goes on later', () => {
    const history = withUsers(10, 0);
    history.judgeSome(3);
    expect(judged(history)).to.deep.equal({ calm: 3, troubled: 0 });
    history.judgeSome(100);
    expect(judged(history)).to.deep.equal({ calm: 10, troubled: 0 });
  });

  it('judges users with trouble first, but no other user waits for ever', () => {
    const history = withUsers(10, 10);
    history.judgeSome(8);
    expect(judged(history)).to.deep.equal({ calm: 2, troubled: 6 });
    history.judgeAll();
    expect(judged(history)).to.deep.equal({ calm: 10, troubled: 10 });
  });

  it('judges a user again when it has news, and not before', () => {
    let reads = 0;
    const history = made({ now: () => (reads += 1) });
    tell(history, 'ann', '@10-15 login');
    reads = 0;
    history.judgeSome(5);
    expect(reads).to.equal(1);
    tellLast(history, 'ann', '@10-15 login, @20-25 whoami anonymous');
    expect(history.view(30).counts.loggedOut).to.equal(1);
  });
});

describe('a live history that is cut', () => {
  const kept = (history: LiveHistory) =>
    history
      .record(lab)
      .operations.map(({ kind }) => kind)
      .join(' ');

  it('keeps the operations from the present login on', () => {
    const history = made();
    tell(history, 'ann', 'login, whoami anonymous, login, add x, whoami!');
    history.trim();
    expect(kept(history)).to.equal('login add whoami');
    expect(countsOf(history)).to.include({ loggedOut: 0, acknowledged: 1, failed: 1 });
    expect(countsOf(history)).to.deep.equal(countsOfReport(history.record(lab)));
  });

  it('keeps nothing of a user without a session, or that has left', () => {
    const history = made();
    tell(history, 'ann', 'login!, whoami anonymous');
    tell(history, 'bob', 'login, add x');
    history.userLeft('bob');
    history.trim();
    expect(kept(history)).to.equal('');
    tellLast(history, 'bob', 'login, @500-505 read x');
    expect(history.view(10).users.map(({ name }) => name)).to.deep.equal(['ann', 'bob']);
    expect(stateOf(history, 'bob', 10)).to.equal('gone');
  });

  it('keeps adds of earlier sessions whose items may still be in the cart', () => {
    for (const text of [
      'login, add x, login',
      'login, add x, read x, add y?, login',
      'login, add x, login, read x',
      'login, read, add x, login',
    ]) {
      const history = made();
      tell(history, 'ann', text);
      history.trim();
      tellLast(history, 'ann', 'login, login, @500-505 read x');
      expect(wrongs(check(history.record(lab))), text).to.deep.equal({});
    }
  });

  it('forgets adds whose items are not in the cart any more', () => {
    const history = made();
    tell(history, 'ann', 'login, add x, read x, logout, login, read');
    history.trim();
    expect(kept(history)).to.equal('logout login read');
  });

  it('keeps the last logout, so that a try of its session within the revocation lag is no finding', () => {
    const history = made({ header: { ...header, revocationLagMs: 1000 } });
    tell(history, 'ann', '@10-15 login, @20-25 logout, @30-35 login');
    history.trim();
    tellLast(history, 'ann', '@10-15 login, @500-505 replay as ann');
    expect(check(history.record(lab)).users.logoutNotHonoured).to.equal(0);
  });

  it('keeps the login after the last logout, so that a kept add between two logins is no finding', () => {
    const history = made();
    tell(history, 'ann', 'login, logout, login, add x, login');
    history.trim();
    expect(kept(history)).to.equal('logout login add login');
    expect(check(history.record(lab)).users.logoutNotHonoured).to.equal(0);
  });

  it('keeps strikes that are not healed, and the latest state of each member', () => {
    const history = made();
    for (const [id, state] of Object.entries({ a: 'healed', b: 'not-healed', c: 'not-confirmed', d: 'healing' }))
      history.strike(fault(id, 10, 20, null), state as StrikeState);
    for (const [atMs, state] of [
      [0, 'up'],
      [50, 'dead'],
    ] as const)
      history.member({ type: 'member', member: 'backend-1', atMs, state });
    history.trim();
    expect(history.view(100).strikes.map(({ id }) => id)).to.deep.equal(['b', 'c', 'd']);
    expect(history.record(lab).members.map(({ state }) => state)).to.deep.equal(['dead']);
    expect(history.view(100).members[0]).to.include({ state: 'dead', sinceMs: 50 });
  });

  it('cuts itself when it has too many operations', () => {
    let cuts = 0;
    const history = made({ operationsMax: 6, onTrim: () => (cuts += 1) });
    tell(history, 'ann', 'login, whoami, whoami, logout, login');
    expect(history.record(lab).operations).to.have.length(5);
    expect(cuts).to.equal(0);
    tell(history, 'bob', 'login');
    expect(cuts).to.equal(1);
    expect(kept(history)).to.equal('logout login login');
  });

  it('waits for twice as many operations when the present sessions are too many by themselves', () => {
    const history = made({ operationsMax: 3 });
    tell(history, 'ann', 'login, whoami, whoami, whoami, whoami');
    expect(kept(history)).to.equal('login whoami whoami whoami whoami');
    tell(history, 'bob', 'login!');
    expect(kept(history)).to.equal('login whoami whoami whoami whoami');
  });
});

describe('the record of a live history', () => {
  it('names what was struck, and plans what was sent', () => {
    const history = made();
    tell(history, 'ann', 'login, whoami, final read');
    history.strike(fault('kill', 10, 20, 30), 'healed');
    history.phase({ type: 'phase', phase: 'warmup', startMs: 0, endMs: 10 });
    const run = history.record({ ...lab, dropped: 2 });
    expect(run.header).to.include({ planned: 4 });
    expect(run.header.faults).to.deep.equal(['kill']);
    expect(run.phases).to.have.length(1);
    expect(run.lab.dropped).to.equal(2);
  });
});
