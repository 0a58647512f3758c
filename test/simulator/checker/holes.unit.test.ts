import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import { judge, type Verdict } from '#src/simulator/checker/verdict/verdict.js';
import type { FaultRecord, LabRecord, ListedRun, Operation, SystemRecord } from '#src/simulator/history/records.js';
import { tokenOf } from '#src/simulator/plan/planned-user.js';
import { fault, runOf, user } from './histories.js';

/** Runs that version 0.1 passed, or judged wrongly, without enough evidence. */

const system: SystemRecord = {
  members: [
    ...['backend-1', 'backend-2'].map(name => ({ name, role: 'backend' as const })),
    { name: 'proxy', role: 'proxy' },
  ],
  keeps: 'store',
  stores: ['redis'],
  affinity: false,
};
const lab: LabRecord = { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 0 };

interface Made {
  readonly histories: readonly (readonly [history: string, ...backends: string[]])[];
  readonly faults: readonly FaultRecord[];
  readonly expectations?: readonly string[];
  readonly lab?: Partial<LabRecord>;
  readonly planned?: number;
  readonly proxies?: readonly string[];
}

function judged({ histories, faults, expectations = ['users.loggedOut == 0', 'writes.lost == 0'], ...more }: Made) {
  const operations = histories
    .flatMap(([history, ...backends], index) =>
      user(`user-${index + 1}`, history).map((one, place): Operation => {
        const backend = backends[place];
        return { ...one, ...(backend === undefined ? {} : { backend }) };
      }),
    )
    .map((operation, id) => ({ ...operation, id }));
  const plain = runOf(operations, { faults, lab: { ...lab, ...more.lab } });
  const proxies = (more.proxies ?? []).map(name => ({ name, role: 'proxy' as const }));
  const described = { ...system, members: [...system.members, ...proxies] };
  const header = { ...plain.header, system: described, expectations, planned: more.planned ?? operations.length };
  const run: ListedRun = { ...plain, header: { ...header, faults: faults.map(({ id }) => id) } };
  const findings = check(run);
  return { findings, verdict: judge(run, findings) };
}

function struck(changes: Partial<FaultRecord> = {}): FaultRecord {
  return {
    ...fault('kill', 1000, 1100, 2200),
    target: 'backend-1',
    healRequestedMs: 2000,
    expects: { kind: 'silent', member: 'backend-1' },
    ...changes,
  };
}

/** A member that the lab did not start, struck as `member-1`. */
const killed = struck({
  target: 'member-1',
  struck: 'app-3',
  wasConfirmedBefore: false,
  expects: { kind: 'silent', member: 'app-3', orConfirmed: true },
});

function expectInconclusive({ word, reasons }: Verdict, reason: string): void {
  expect(word).to.equal('inconclusive');
  expect(reasons.join('\n')).to.include(reason);
}

const replication = { kind: 'link-bytes', link: 'redis.primary->redis.replica-1' } as const;
const before = '@10-15 login, @20-25 add x, @30-35 read x';
const bs = ['backend-1', 'backend-1', 'backend-1'] as const;

describe('a run proves nothing', () => {
  it('when every read after the kill failed, including the read-back', () => {
    const histories = [[`${before}, @1200-1205 read!, @2300-2305 read!, @3000-3005 final read!`, ...bs]] as const;
    const { findings, verdict } = judged({ histories, faults: [struck()] });
    expect(findings.writes).to.include({ lost: 0, unverified: 1 });
    expect(findings.users.unverified).to.equal(1);
    expectInconclusive(verdict, 'never had a good read after the last healing');
  });

  it('when the last good read of a user began before the healing', () => {
    const histories = [[`${before}, @2100-2105 read x, @3000-3005 final read!`, ...bs, 'backend-2']] as const;
    expectInconclusive(judged({ histories, faults: [struck()] }).verdict, 'never had a good read');
  });

  it('when a fault was never healed and the read-back is missing', () => {
    const histories = [[`${before}, @4000-4005 read x`, ...bs, 'backend-2']] as const;
    expectInconclusive(judged({ histories, faults: [struck({ healedMs: null })] }).verdict, 'never had a good read');
  });

  it('when the second of two proxies answered nothing while the first was dead', () => {
    const proxied = { kind: 'silent', member: 'proxy-1' } as const;
    const histories = [[`${before}, @3000-3005 final read x`, ...bs]] as const;
    const { verdict } = judged({
      histories,
      faults: [struck({ target: 'proxy-1', expects: proxied })],
      proxies: ['proxy-1', 'proxy-2'],
    });
    expectInconclusive(verdict, 'The fault "kill" on proxy-1 had no effect that users could notice');
  });

  it('when the backend that was added answered nothing', () => {
    const added = { kind: 'answered', member: 'backend-2' } as const;
    const histories = [[`${before}, @1200-1205 read x, @3000-3005 final read x`, ...bs, ...bs]] as const;
    const { verdict } = judged({ histories, faults: [struck({ target: 'backend-2', expects: added })] });
    expectInconclusive(verdict, 'backend-2 answered no request of 1 while the fault lasted');
  });

  it('when keys were rotated and no session was made or used afterwards', () => {
    const histories = [[`${before}, @3000-3005 final read x`, ...bs]] as const;
    const { verdict } = judged({ histories, faults: [struck({ target: 'secrets', expects: { kind: 'keys' } })] });
    expectInconclusive(verdict, '0 were made under the new key');
  });

  it('when confirm had already succeeded before the fault', () => {
    const histories = [[`${before}, @3000-3005 final read x`, ...bs]] as const;
    const exec = struck({ target: 'system', expects: { kind: 'confirm-changed' }, wasConfirmedBefore: true });
    expectInconclusive(judged({ histories, faults: [exec] }).verdict, 'confirm had succeeded before inject ran');
  });

  it('when a link was throttled to a rate far above the traffic', () => {
    const histories = [[`${before}, @1200-1205 read x, @3000-3005 final read x`, ...bs, ...bs]] as const;
    const slow = struck({ target: 'proxy->backend-1', expects: { kind: 'slow', member: 'backend-1' } });
    expectInconclusive(judged({ histories, faults: [slow] }).verdict, '0 of 1 answers of backend-1 took at least');
  });

  it('when the dead member answered users who arrived during the fault', () => {
    const stays = [`${before}, @3000-3005 final read x`, ...bs] as const;
    const comes = ['@1200-1205 login, @1300-1305 add y, @3000-3005 final read y', ...bs] as const;
    const { verdict } = judged({ histories: [stays, comes], faults: [struck()] });
    expectInconclusive(verdict, 'backend-1 answered 2 requests, and was expected to answer none');
  });

  it('when answers name other members than the container that was killed', () => {
    const histories = [[`${before}, @1200-1205 read x, @3000-3005 final read x`, ...bs, ...bs]] as const;
    expectInconclusive(
      judged({ histories, faults: [killed] }).verdict,
      'app-3 had answered no user before it was struck',
    );
  });

  it('when no user sent a request while the member was away', () => {
    const histories = [[`${before}, @3000-3005 final read x`, ...bs]] as const;
    expectInconclusive(judged({ histories, faults: [struck()] }).verdict, 'no user sent a request while backend-1');
  });

  for (const first of ['login!', 'login?', 'whoami'])
    it(`when the only user did no more than ${first}`, () => {
      const { findings, verdict } = judged({ histories: [[`@10-15 ${first}`]], faults: [] });
      expect(findings.evidence.loggedIn).to.equal(0);
      expectInconclusive(verdict, 'No user logged in');
    });

  it('when most users could not log in', () => {
    const one = [`${before}, @1200-1205 read x, @3000-3005 final read x`, ...bs, 'backend-2'] as const;
    const refused = ['@10-15 login!, @1200-1205 login!'] as const;
    const { verdict } = judged({ histories: [one, refused, refused], faults: [struck()] });
    expectInconclusive(verdict, 'Only 1 of 3 users could log in');
  });

  it('when nearly every add was refused', () => {
    const refused = Array.from({ length: 20 }, (_, i) => `@${40 + 10 * i}-${45 + 10 * i} add refused${i}!`).join(', ');
    const histories = [[`${before}, ${refused}, @1200-1205 read x, @3000-3005 final read x`, ...bs]] as const;
    expectInconclusive(judged({ histories, faults: [struck()] }).verdict, 'Only 1 of 21 adds were acknowledged');
  });

  it('when all writes came after the healing', () => {
    const histories = [
      ['@10-15 login, @1200-1205 whoami, @2300-2305 add x, @3000-3005 final read x', 'backend-1', 'backend-2'],
    ] as const;
    expectInconclusive(judged({ histories, faults: [struck()] }).verdict, 'so the fault could take nothing');
  });

  it('when all users logged out after the healing without reading the cart again', () => {
    const histories = [[`${before}, @1200-1205 whoami, @2300-2305 logout`, ...bs, 'backend-2']] as const;
    expectInconclusive(judged({ histories, faults: [struck()] }).verdict, 'Only 0 of 1 writes from before the last');
  });

  it('when one answer in twenty was slow under a throttle without a stated delay', () => {
    const reads = Array.from({ length: 20 }, (_, i) => `@${1200 + 40 * i}-${i === 9 ? 1595 : 1205 + 40 * i} read x`);
    const histories = [[`${before}, ${reads.join(', ')}, @3000-3005 final read x`, ...Array(23).fill('backend-1')]];
    const slow = struck({ target: 'proxy->backend-1', expects: { kind: 'slow', member: 'backend-1' } });
    expectInconclusive(judged({ histories: histories as never, faults: [slow] }).verdict, 'no more than the 10 %');
  });

  it('when half of the plan was dropped', () => {
    const histories = [[`${before}, @1200-1205 read x, @3000-3005 final read x`, ...bs, 'backend-2']] as const;
    const { verdict } = judged({ histories, faults: [struck()], planned: 8 });
    expectInconclusive(verdict, 'Only 4 of 8 planned operations took place');
  });
});

describe('a run is judged by what happened', () => {
  it('keeps a cart that the user finds again after a second login: logged out, and nothing lost', () => {
    const after = '@3000-3005 final read anonymous, @3100-3105 login, @3200-3205 final read x';
    const histories = [[`${before}, @1200-1205 whoami, ${after}`, ...bs, 'backend-2']] as const;
    const { findings, verdict } = judged({
      histories,
      faults: [struck()],
      expectations: ['writes.lost == 0'],
      planned: 5,
    });
    expect(findings.users).to.include({ loggedOut: 1, unverified: 0 });
    expect(findings.writes).to.include({ lost: 0, unverified: 0 });
    expect(verdict.word).to.equal('pass');
  });

  it('passes the race of logout and add on an app that serialises the two', () => {
    const race = '@400-900 add y, @500-950 logout, @1000-1005 login, @1100-1105 add z, @3000-3005 final read z';
    const histories = [[`${before}, ${race}`]] as const;
    const { findings, verdict } = judged({ histories, faults: [] });
    expect(findings.writes).to.include({ acknowledged: 3, unverified: 0, lost: 0 });
    expect(verdict.word).to.equal('pass');
  });

  it('ignores the items that an app still keeps from an earlier run', () => {
    const own = tokenOf('user-1.1', 'aaaa');
    const earlier = tokenOf('user-1.1', 'bbbb');
    const items = [own, earlier, earlier, 'free-gift'];
    const operations = user('user-1', '@10-15 login, @20-25 add x, @30-35 read x').map(one => ({
      ...one,
      ...(one.kind === 'add' && { token: own }),
      ...(one.kind === 'read' && { items }),
    }));
    const plain = runOf(operations);
    const { incidents } = check({ ...plain, header: { ...plain.header, nonce: 'aaaa' } });
    expect(incidents.map(({ kind, token }) => [kind, token])).to.deep.equal([['phantom', 'free-gift']]);
  });

  it('does not call a single missing write a logout', () => {
    const histories = [[`${before}, @1200-1205 whoami, @3000-3005 final read`, ...bs, 'backend-2']] as const;
    const { findings } = judged({ histories, faults: [struck()] });
    expect(findings.writes.lost).to.equal(1);
    expect(findings.users.loggedOut).to.equal(0);
  });

  it('counts dropped steps in the latencies, with the time that the user had waited', () => {
    const quick = Array.from({ length: 25 }, (_, i) => `@${100 + i}-${101 + i} whoami`).join(', ');
    const dropped = { dropped: 75, droppedMs: Array(75).fill(500), droppedWaitMs: Array(75).fill(5000) };
    const { findings } = judged({ histories: [[`${before}, ${quick}`]], faults: [], lab: dropped, planned: 103 });
    expect(findings.latencyMs.p50).to.equal(5000);
    expect(findings.latencyMs.p90).to.equal(5000);
  });

  it('names every fault that can explain a loss, and not only the latest', () => {
    const cut = struck({ id: 'cut', target: 'redis.primary->redis.replica-1', expects: replication });
    const promote = struck({ id: 'promote', target: 'redis.replica-1', requestedMs: 1500, expects: replication });
    const histories = [[`${before}, @1200-1205 add y, @3000-3005 final read x`, ...bs, ...bs]] as const;
    const { findings } = judged({ histories, faults: [cut, promote] });
    expect(findings.incidents.map(({ token, candidates, fault: only }) => [token, candidates, only])).to.deep.equal([
      ['y', ['cut', 'promote'], undefined],
    ]);
  });

  it('leaves a write unexplained that was acknowledged 3.6 s after the healing and then lost', () => {
    const late = '@1200-1205 whoami, @5800-5805 add y, @6000-6005 final read x';
    const histories = [[`${before}, ${late}`, ...bs, 'backend-2', 'backend-1', 'backend-1']] as const;
    const { findings, verdict } = judged({
      histories,
      faults: [struck()],
      expectations: ['writes.lost < 90 %', 'writes.unexplained == 0'],
    });
    expect(findings.writes).to.include({ lost: 1, unexplained: 1 });
    expect(verdict.reasons).to.deep.equal(['Expected writes.unexplained == 0; it was 1.']);
  });
});

describe('a killed member that the lab did not start', () => {
  it('needs no effect on users where no answer names its member', () => {
    const histories = [['@0-5 login, @100-105 add x, @1200-1205 read x, @3000-3005 final read x']] as const;
    const { findings, verdict } = judged({ histories, faults: [killed] });
    expect(findings.faults[0]?.effect?.text).to.contain('app-3 was alive before and not alive after');
    expect(verdict.word).to.equal('pass');
  });

  it('is blamed for what its own sessions lost, and for nothing else', () => {
    const lost = '@0-5 login, @100-105 add x, @1200-1205 read, @3000-3005 final read';
    const of = (member: string) => [lost, member, member, 'backend-1', 'backend-1'] as const;
    const candidates = (member: string) =>
      judged({ histories: [of(member)], faults: [killed] }).findings.incidents.map(({ fault: blamed }) => blamed);
    expect(candidates('app-3')).to.include('kill');
    expect(candidates('backend-1')).to.not.include('kill');
  });
});
