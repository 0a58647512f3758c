import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { judgeRun } from '#src/simulator/checker/judge-run.js';
import { describeMachineDoubt } from '#src/simulator/checker/verdict/doubts.js';
import { measuredValue } from '#src/simulator/checker/verdict/metrics.js';
import type { Cluster, LabCluster } from '#src/simulator/cluster/cluster.js';
import type { MembersSpec } from '#src/simulator/cluster/external/drivers.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { openSystem } from '#src/simulator/cluster/start-cluster.js';
import { Strike } from '#src/simulator/faults/strike.js';
import type { FaultRecord } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { simulate } from '#src/simulator/simulate.js';
import { stage } from '../../faults/fault-stage.js';
import { oneLab, quickProxy } from '../../processes.js';
import { type ControlledMembers, withControlledMembers } from './controlled-members.js';

const signal = new AbortController().signal;
const inLab = oneLab({
  mode: 'sticky',
  backends: { count: 3, env: {} },
  proxy: { ...quickProxy, health: { everyMs: 100, timeoutMs: 200, fall: 2, rise: 1 } },
  stores: [],
});

/** A test with members that the lab of the suite runs and another lab strikes. */
function withMembers(use: (joined: Cluster, controlled: ControlledMembers, own: LabCluster) => Promise<void>) {
  return inLab(own =>
    withControlledMembers(own, async controlled => {
      const joined = await join(own, controlled.spec);
      try {
        await use(joined, controlled, own);
      } finally {
        await joined.stop();
      }
    }),
  );
}

function join({ proxyUrl }: LabCluster, members: MembersSpec): Promise<Cluster> {
  const spec = { mode: 'sticky', target: proxyUrl, members, backends: { count: 0, env: {} }, stores: [] } as const;
  return openSystem(
    spec,
    signal,
    () => undefined,
    () => 0.99,
  );
}

async function strike(
  cluster: Cluster,
  action: string,
  target: string,
  during: () => Promise<void> = async () => undefined,
): Promise<FaultRecord> {
  const options = action === 'flap' ? { options: { up: '100ms', down: '100ms' } } : {};
  const spec = { id: 'struck', trigger: { atMs: 0 }, do: action, target, ...options };
  const made = new Strike(spec, stage(cluster, []).stage);
  await made.inject();
  await during();
  await made.heal(() => []);
  return made.record;
}

describe('members that the lab did not start', () => {
  for (const [action, target, name, commands] of [
    ['kill', 'member-2', 'backend-2', ['kill backend-2', 'start backend-2']],
    ['stop', 'member-1', 'backend-1', ['stop backend-1', 'start backend-1']],
    ['hang', 'member-any', 'backend-3', ['hang backend-3', 'resume backend-3']],
  ] as const)
    it(
      `are struck by ${action} and healed by the commands of the driver`,
      withMembers(async (joined, { asked }, own) => {
        const record = await strike(joined, action, target, async () => {
          expect(await own.member(name).answers(200)).to.equal(false);
        });
        expect(record).to.include({ target, struck: `app-${name}`, wasConfirmedBefore: false });
        expect(record.evidence).to.contain(`${target} of app=shop is app-${name}: alive before, not alive after`);
        expect(record.healedMs).to.be.a('number');
        expect(record.expects).to.include({ kind: 'silent', member: `app-${name}` });
        expect(record).to.not.have.property('problem');
        expect(asked).to.deep.equal(commands);
        expect(await own.member(name).answers(1_000)).to.equal(true);
      }),
    );

  it(
    'flap until they are healed',
    withMembers(async (joined, { asked }, own) => {
      const boots = () => asked.filter(line => line === 'start backend-1').length;
      const record = await strike(joined, 'flap', 'member-1', async () => {
        expect(await waitUntil(async () => boots() > 1, 10_000)).to.equal(true);
      });
      expect(record).to.include({ struck: 'app-backend-1' });
      expect(record.healedMs).to.be.a('number');
      expect(await own.member('backend-1').answers(1_000)).to.equal(true);
    }),
  );

  it(
    'are counted from those that are ready when the fault strikes',
    withMembers(async (joined, { asked }) => {
      await strike(joined, 'kill', 'member-1', async () => {
        const record = await strike(joined, 'kill', 'member-2');
        expect(record.struck).to.equal('app-backend-3');
      });
      expect(asked.slice(0, 2)).to.deep.equal(['kill backend-1', 'kill backend-3']);
    }),
  );

  it(
    'are not struck when there are too few of them, and the record says which are ready',
    withMembers(async (joined, { asked }) => {
      const { problem, confirmedMs } = await strike(joined, 'kill', 'member-4');
      expect(confirmedMs).to.equal(null);
      expect(problem).to.contain(
        '"app=shop" has no member-4: the ready members are app-backend-1, app-backend-2, app-backend-3',
      );
      expect(asked).to.deep.equal([]);
    }),
  );

  for (const [when, done] of [
    ['after', 'has done its work'],
    ['before', 'has done nothing'],
  ] as const)
    it(
      `are healed when a command fails after it ${done}`,
      withMembers(async (joined, { broken, asked }, own) => {
        broken.set('kill', when);
        const record = await strike(joined, 'kill', 'member-1');
        expect(record.confirmedMs).to.equal(null);
        expect(record.problem).to.match(
          /^kill of member-1 could not be done: "kill" of app-backend-1 ended with code 22/,
        );
        expect(record.problem).to.contain('cannot kill app-backend-1');
        expect(record.healedMs).to.be.a('number');
        expect(asked).to.deep.equal(when === 'after' ? ['kill backend-1', 'start backend-1'] : ['kill backend-1']);
        expect(await own.member('backend-1').answers(1_000)).to.equal(true);
      }),
    );

  it(
    'are whole after the run was interrupted while the command ran',
    withMembers(async (joined, { asked }, own) => {
      const staged = stage(joined, []);
      const made = new Strike({ id: 'k', trigger: { atMs: 0 }, do: 'kill', target: 'member-1' }, staged.stage);
      const injecting = made.inject();
      expect(await waitUntil(async () => asked.length > 0, 5_000)).to.equal(true);
      staged.interrupt();
      await injecting;
      await made.heal(() => []);
      expect(asked).to.deep.equal(['kill backend-1', 'start backend-1']);
      expect(await own.member('backend-1').answers(1_000)).to.equal(true);
    }),
  );

  it(
    'are not confirmed to hang when another fault had killed them',
    withMembers(async joined => {
      await strike(joined, 'kill', 'member-1', async () => {
        const { confirmedMs, problem } = await strike(joined, 'hang', 'member-1');
        expect(confirmedMs).to.equal(null);
        expect(problem).to.contain('member-1 was not running when it struck');
      });
    }),
  );

  it(
    'are brought back when a command fails while they flap',
    withMembers(async (joined, { asked, broken }, own) => {
      await strike(joined, 'flap', 'member-1', async () => {
        broken.set('kill', 'after');
        const kills = () => asked.filter(line => line === 'kill backend-1').length;
        expect(await waitUntil(async () => kills() > 1, 10_000)).to.equal(true);
      });
      expect(await own.member('backend-1').answers(1_000)).to.equal(true);
    }),
  );

  it(
    'are healed when it cannot be asked whether they are alive',
    withMembers(async (_joined, { spec }, own) => {
      const lock = path.join(await mkdtemp(path.join(tmpdir(), 'members-')), 'lock');
      const alive = `test ! -e ${lock} || exit 126; ${spec.commands.alive}`;
      const joined = await join(own, { ...spec, commands: { ...spec.commands, alive } });
      try {
        for (const action of ['kill', 'hang']) {
          const record = await strike(joined, action, 'member-1', () => writeFile(lock, ''));
          await rm(lock);
          expect(record.healedMs, JSON.stringify(record)).to.be.a('number');
          expect(await own.member('backend-1').answers(1_000)).to.equal(true);
        }
      } finally {
        await joined.stop();
        await rm(path.dirname(lock), { recursive: true });
      }
    }),
  );

  it(
    'are a finding when they do not come back',
    withMembers(async (joined, { broken, spec }, own) => {
      broken.set('start', 'before');
      const record = await strike(joined, 'kill', 'member-1');
      expect(record.notBack?.[0]).to.include({ member: 'app-backend-1' });
      expect(record.notBack?.[0]?.why).to.contain('"start" of app-backend-1 ended with code 22');
      broken.clear();
      await own.member('backend-1').start();
      expect(spec.selector).to.equal('app=shop');
    }),
  );

  it(
    'are healed when something else has replaced them under another name',
    withMembers(async (joined, { broken, spec }, own) => {
      const { start: _start, ...commands } = spec.commands;
      const replaced = await join(own, { ...spec, commands });
      try {
        const record = await strike(replaced, 'kill', 'member-1', () => own.member('backend-1').start());
        expect(record.healedMs).to.be.a('number');
        expect(record).to.not.have.property('notBack');
      } finally {
        await replaced.stop();
      }
      expect(broken.size).to.equal(0);
      expect(joined.external?.startedWith).to.have.length(3);
    }),
  );

  it(
    'show in a run which users the member took with it',
    withMembers(async (_joined, { spec }, own) => {
      const scenario = parseScenario(
        JSON.stringify({
          name: 'external',
          why: 'One member dies.',
          modes: ['sticky'],
          system: { target: own.proxyUrl, members: { driver: spec.commands, selector: spec.selector } },
          users: { arrivals: { rate: '40/s', for: '600ms' }, think: { median: '200ms', p95: '500ms' } },
          phases: { warmup: '200ms', baseline: '1s', faults: '1200ms', recovery: '1500ms', quiesce: '200ms' },
          faults: [{ id: 'kill', at: '100ms', do: 'kill', target: 'member-2', for: '800ms' }],
          expect: { any: ['users.loggedOut > 0', 'users.loggedOutUnexposed == 0', 'writes.lost > 0'] },
        }),
        'external.yaml',
      );
      const options = { onProgress: () => undefined, signal };
      const run = await simulate(scenario, 'sticky', makePlan(scenario, 7), options);
      const { findings, verdict } = judgeRun(run);
      expect(measuredValue('members.ejectedAtEnd', findings), 'no proxy told what it ejects').to.equal(null);
      expect(run.faults[0]?.problem).to.equal(undefined);
      expect(findings.faults[0]?.effect?.text).to.match(
        /^app-backend-2 had answered \d+ of \d+ users, and answered none while the fault lasted/,
      );
      expect(run.header.system?.members.map(({ name }) => name)).to.deep.equal([
        'app-backend-1',
        'app-backend-2',
        'app-backend-3',
      ]);
      expect(run.members.map(({ member, state }) => `${member} ${state}`)).to.deep.equal([
        'app-backend-2 dead',
        'app-backend-2 up',
      ]);
      // A busy machine makes a run inconclusive.
      const words = describeMachineDoubt(run.lab) === undefined ? ['pass'] : ['pass', 'inconclusive'];
      expect(verdict.word, JSON.stringify(verdict)).to.be.oneOf(words);
    }),
  );
});
