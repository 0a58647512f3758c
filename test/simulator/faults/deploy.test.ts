import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { LabCluster } from '#src/simulator/cluster/cluster.js';
import { ask, waitUntil } from '#src/simulator/cluster/probe.js';
import type { Fault } from '#src/simulator/faults/fault.js';
import { deploy } from '#src/simulator/faults/kinds/deploy.js';
import { runFaults } from '#src/simulator/faults/schedule.js';
import { leavingNothing, oneLab, program, quickProxy, withCluster } from '../processes.js';
import { stage } from './fault-stage.js';

const env = { BROKEN_VERSION: 'broken' };
const backends = { count: 2, spare: 1, env, program: program('versioned-backend') };
const spec = { mode: 'sticky', backends, stores: [], proxy: { ...quickProxy, drainMs: 1 } } as const;
const deployOf = (options: Readonly<Record<string, unknown>>): Fault => deploy.make('backends', options);

/** Returns the version that each running backend names in its answer. */
async function versionsOf({ members }: LabCluster): Promise<Record<string, unknown>> {
  const running = members.filter(({ role, isRunning }) => role === 'backend' && isRunning);
  const asked = running.map(async ({ name, port }) => {
    const { headers } = await ask('GET', `http://127.0.0.1:${port}/`, 2_000);
    return [name, headers['holdfast-version']] as const;
  });
  return Object.fromEntries(await Promise.all(asked));
}

/** Watches how many backends run and are ready until `work` ends. */
async function watchWhile(cluster: LabCluster, work: () => Promise<void>) {
  const seen = { runningMax: 0, readyMin: Number.POSITIVE_INFINITY };
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const running = cluster.members.filter(({ role, isRunning }) => role === 'backend' && isRunning).length;
      const ready = (await cluster.proxyAdmin.backends()).filter(({ state }) => state === 'ready').length;
      seen.runningMax = Math.max(seen.runningMax, running);
      seen.readyMin = Math.min(seen.readyMin, ready);
      await sleep(5);
    }
  })();
  await work().finally(() => {
    isOver = true;
  });
  await watching;
  return seen;
}

describe('deploy', function () {
  this.timeout(30_000);
  const lab = oneLab(spec);

  it(
    'with surge 1 replaces all backends, always has as many ready as before, and rolls back when it is healed',
    lab(async cluster => {
      const fault = deployOf({ surge: 1, unavailable: 0, rollback: 'after 1s' });
      expect(await fault.confirm(cluster).catch(({ message }: Error) => message)).to.equal(
        '0 of 2 backends run version B, expected 2: backend-1 runs A, backend-2 runs A',
      );
      const seen = await watchWhile(cluster, () => fault.inject(cluster));
      expect(seen).to.deep.equal({ runningMax: 3, readyMin: 2 });
      expect(await fault.confirm(cluster)).to.equal('2 of 2 backends run version B: backend-1, backend-3');
      expect(await versionsOf(cluster)).to.deep.equal({ 'backend-1': 'B', 'backend-3': 'B' });
      await fault.heal(cluster);
      await fault.heal(cluster);
      const versions = await versionsOf(cluster);
      expect(Object.values(versions)).to.deep.equal(['A', 'A']);
    }),
  );

  it(
    'of a canary alone replaces one backend, and then nothing until it is healed',
    lab(async cluster => {
      const fault = deployOf({ canary: '10 %', rollback: 'after 1s' });
      await fault.inject(cluster);
      expect(await fault.confirm(cluster)).to.match(/^1 of 2 backends run version B: backend-\d$/);
      expect(Object.values(await versionsOf(cluster)).sort()).to.deep.equal(['A', 'B']);
      await fault.heal(cluster);
      expect(Object.values(await versionsOf(cluster))).to.deep.equal(['A', 'A']);
    }),
  );

  it(
    'of a version that does not boot is rolled back, and the record says why',
    lab(async cluster => {
      const trigger = { atMs: 0 };
      const broken = { id: 'deploy', trigger, do: 'deploy', target: 'backends', options: { version: 'broken' } };
      const transitions: string[] = [];
      const [record] = (await runFaults([broken], stage(cluster, transitions).stage)).records;
      expect(transitions).to.deep.equal(['deploy not-confirmed', 'deploy healed']);
      expect(record).to.include({ confirmedMs: null }).and.not.have.property('notBack');
      expect(record?.problem).to.match(/deploy of backends could not be done.*version broken is broken/s);
      expect(Object.values(await versionsOf(cluster))).to.deep.equal(['A', 'A']);
    }),
  );

  it(
    'that is interrupted half-way begins no further step, and brings the old version back',
    lab(async cluster => {
      const transitions: string[] = [];
      const staged = stage(cluster, transitions);
      const options = { canary: '10 %', pause: '5min' };
      const running = runFaults(
        [{ id: 'deploy', trigger: { atMs: 0 }, do: 'deploy', target: 'backends', options }],
        staged.stage,
      );
      const runsNew = async () => Object.values(await versionsOf(cluster).catch(() => ({}))).includes('B');
      expect(await waitUntil(runsNew, 10_000)).to.equal(true);
      staged.interrupt();
      await running;
      expect(transitions.at(-1)).to.equal('deploy healed');
      expect(Object.values(await versionsOf(cluster))).to.deep.equal(['A', 'A']);
    }),
  );

  it(
    'names a backend of the new version that ends by itself after the deploy, and rolls back all the same',
    lab(async cluster => {
      const fault = deployOf({ rollback: 'after 1s' });
      await fault.inject(cluster);
      await fault.confirm(cluster);
      const member = cluster.member('backend-1');
      await ask('GET', `http://127.0.0.1:${member.port}/crash`, 2_000).catch(() => undefined);
      await member.waitEnd(2_000);
      const named = await fault.heal(cluster).catch((error: Error) => `${error.name}: ${error.message}`);
      expect(named).to.match(/^MemberNotBack: backend-1 ran version B and ended by itself: .*ended with code 7/);
      expect(Object.values(await versionsOf(cluster))).to.deep.equal(['A', 'A']);
    }),
  );

  it(
    'is rejected while another deploy is in progress, which then ends as planned',
    lab(async cluster => {
      const first = deployOf({ canary: '10 %', pause: '300ms', rollback: 'after 1s' });
      const second = deployOf({ version: 'C', rollback: 'after 1s' });
      const rolling = first.inject(cluster);
      const refused = await second.inject(cluster).catch((error: Error) => error.message);
      expect(refused).to.equal(
        'another deploy is in progress: let this one begin when that one has ended, with a later "at"',
      );
      await second.heal(cluster);
      await rolling;
      expect(Object.values(await versionsOf(cluster))).to.deep.equal(['B', 'B']);
      await first.heal(cluster);
      expect(Object.values(await versionsOf(cluster))).to.deep.equal(['A', 'A']);
    }),
  );

  it(
    'is rejected when the version runs already, or when nothing can be replaced, and changes nothing',
    lab(async cluster => {
      const before = await versionsOf(cluster);
      for (const [options, problem] of [
        [{ version: 'A' }, /version A runs already: choose another name with "version"/],
        [{ surge: 0, unavailable: 0 }, /0 of 2 backends run version B, and surge 0 with unavailable 0 allows no/],
      ] as const) {
        const fault = deployOf(options);
        const refused = await fault.inject(cluster).catch((error: Error) => error.message);
        expect(refused).to.match(problem);
        await fault.heal(cluster);
        expect(await versionsOf(cluster)).to.deep.equal(before);
      }
    }),
  );

  it('changes environment and command of an own app, which need not name its version', () =>
    leavingNothing(() => {
      const own = {
        command: `SILENT=1 ${process.execPath} ${program('versioned-backend')}`,
        directory: process.cwd(),
        ready: { http: '/', withinMs: 10_000 },
      };
      const others = { count: 1, env: {}, own };
      return withCluster({ ...spec, backends: others }, async cluster => {
        const fault = deployOf({ to: { env: { GREETING: 'hello' } } });
        await fault.inject(cluster);
        expect(await fault.confirm(cluster)).to.equal('1 of 1 backends run version B: backend-1');
        expect(await versionsOf(cluster)).to.deep.equal({ 'backend-1': undefined });
        await fault.heal(cluster);
        const command = own.command.replace('SILENT=1 ', '');
        const second = deployOf({ version: 'C', to: { command } });
        await second.inject(cluster);
        expect(await second.confirm(cluster)).to.equal('1 of 1 backends run version C: backend-1');
        await second.heal(cluster);
        expect(await versionsOf(cluster), 'without "rollback" it stays').to.deep.equal({ 'backend-1': 'C' });
      });
    }));
});
