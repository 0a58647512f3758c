import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import type { LabCluster } from '#src/simulator/cluster/cluster.js';
import { ask, isStopped, portRefuses, waitUntil } from '#src/simulator/cluster/probe.js';
import type { TargetKind } from '#src/simulator/cluster/targets.js';
import { LabError } from '#src/simulator/errors.js';
import type { Fault, FaultEntry } from '#src/simulator/faults/fault.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { runFaults } from '#src/simulator/faults/schedule.js';
import type { FaultSpec } from '#src/simulator/scenario/scenario.js';
import { type InLab, leavingNothing, oneLab, program, quickProxy, withCluster } from '../processes.js';
import { stage } from './fault-stage.js';

const spec = { mode: 'redis', backends: { count: 2, env: {} }, stores: ['redis'], proxy: quickProxy } as const;
const targets = { backend: 'backend-2', store: 'redis' } as const;
/** Roles that faults which end or stop a process can strike. */
type Role = keyof typeof targets;
const isRole = (kind: TargetKind): kind is Role => Object.hasOwn(targets, kind);

/** Expected evidence of each fault that ends or stops a process. */
const evidenceRows: Readonly<Record<string, RegExp>> = {
  kill: /^ended by SIGKILL; port \d+ refuses connections$/,
  hang: /^stopped by SIGSTOP; no answer within 250 ms$/,
  drain: /^drained, then ended with code 0; port \d+ refuses connections$/,
};

/** Returns the expected evidence of a fault. Fails when the fault has no row. */
function evidenceOf(name: string): RegExp {
  return (
    evidenceRows[name] ??
    expect.fail(
      `test/simulator/faults/faults.test.ts has no evidence of "${name}". If it ends or stops a process, add a row to "evidenceRows"; otherwise add its name to "testedApart", and write a test of its own`,
    )
  );
}

/** Faults with tests of their own: they leave a process that answers, or strike more than once. */
const testedApart = ['scale-out', 'scale-in', 'flap', 'errors', 'block', 'clock-skew'];

/** Returns whether the fault strikes only stores. Such faults are tested in store-clusters.test.ts. */
const ofStores = ({ targets: kinds }: FaultEntry) => kinds.every(kind => kind === 'store' || kind === 'member');

function faultOf(name: string, target: string, options: Readonly<Record<string, unknown>> = {}): Fault {
  const entry = faults[name];
  if (entry === undefined) throw new Error(`no fault ${name}`);
  return entry.make(target, options);
}

async function expectAllUp(cluster: LabCluster): Promise<void> {
  for (const member of cluster.members) {
    expect(await member.answers(1_000), member.name).to.equal(true);
    expect(member.state, member.name).to.equal('up');
  }
  const states = (await cluster.proxyAdmin.backends()).map(({ name, state }) => `${name} ${state}`);
  expect(states).to.have.members(['backend-1 ready', 'backend-2 ready']);
}

describe('faults', function () {
  this.timeout(30_000);
  // A shop takes ten times as long to start. The tests of scaling and of running backends have shops.
  const lab = oneLab({ ...spec, backends: { ...spec.backends, program: program('orderly-backend') } });

  describe('every one of the registry', () => testRegistry(lab));
  describe('without confirmation', () => testUnconfirmed(lab));
  describe('of a backend that still runs', () => testRunningBackend(lab));
  describe('that scale the pool', testScaling);
  it('confirm the drain of a backend that ends by SIGTERM itself', () =>
    leavingNothing(() =>
      withCluster({ ...spec, backends: { ...spec.backends, program: program('plain-backend') } }, async cluster => {
        const fault = faultOf('drain', 'backend-2');
        await fault.inject(cluster);
        expect(await fault.confirm(cluster)).to.match(/^drained, then ended by SIGTERM; port \d+ refuses connections$/);
        await fault.heal(cluster);
        await expectAllUp(cluster);
      }),
    ));
  describe('while they last', () => testWhileActive(lab));
  describe('on their schedule', () => testSchedule(lab));
});

function testRegistry(lab: InLab): void {
  for (const [name, entry] of Object.entries(faults).filter(([name]) => !testedApart.includes(name)))
    for (const role of ofStores(entry) ? [] : entry.targets.filter(isRole))
      it(
        `${name} of a ${role} is confirmed and healed, and a second heal does no harm`,
        lab(async cluster => {
          const seen = evidenceOf(name);
          const fault = entry.make(targets[role]);
          const { port } = cluster.member(targets[role]);
          await fault.heal(cluster); // never injected: nothing to undo
          try {
            await fault.inject(cluster);
            expect(await fault.confirm(cluster)).to.match(seen);
            expect(await cluster.member(targets[role]).answers(200)).to.equal(false);
          } finally {
            // The other tests use the same lab.
            await fault.heal(cluster);
          }
          await expectAllUp(cluster);
          await fault.heal(cluster);
          await expectAllUp(cluster);
          expect(cluster.member(targets[role]).port).to.equal(port);
        }),
      );

  it('describe themselves in one line', () => {
    for (const { summary, targets: roles } of Object.values(faults)) {
      expect(summary).to.match(/^[^\n]{10,100}$/);
      expect(roles).to.not.be.empty;
    }
  });

  it('say what they did to their target in words that follow its name', () => {
    for (const [name, { doneInWords }] of Object.entries(faults))
      if (name === 'exec') expect(doneInWords).to.equal(undefined);
      else expect(doneInWords, name).to.match(/^[a-z]+ [^\n]{1,50}[^.]$/);
  });
}

function testUnconfirmed(lab: InLab): void {
  for (const name of ['kill', 'hang'])
    it(
      `a ${name} of a process that was already dead`,
      lab(async cluster => {
        const member = cluster.member('redis');
        member.signal('SIGKILL');
        await member.waitExit(2_000);
        const fault = faultOf(name, 'redis');
        await fault.inject(cluster);
        expect(await fault.confirm(cluster)).to.equal(false);
        await fault.heal(cluster);
        await expectAllUp(cluster);
      }),
    );

  it(
    'a kill that was never injected',
    lab(async cluster => {
      expect(await faultOf('kill', 'redis').confirm(cluster)).to.equal(false);
    }),
  );

  it(
    'a hang of a process that was resumed',
    lab(async cluster => {
      const fault = faultOf('hang', 'backend-1');
      await fault.inject(cluster);
      cluster.member('backend-1').signal('SIGCONT');
      expect(await fault.confirm(cluster)).to.equal(false);
      await fault.heal(cluster);
      await expectAllUp(cluster);
    }),
  );

  it(
    'a drain of a process that was killed instead of ending by itself',
    lab(async cluster => {
      const fault = faultOf('drain', 'backend-2');
      const member = cluster.member('backend-2');
      member.signal('SIGSTOP'); // so that SIGTERM cannot end it first
      await fault.inject(cluster);
      member.signal('SIGKILL');
      const refused = await fault.confirm(cluster).catch((error: Error) => error.message);
      expect(refused).to.equal(
        'backend-2 ended by SIGKILL, expected it to end at SIGTERM with code 0, with code 143 or by SIGTERM itself',
      );
      await fault.heal(cluster);
      await expectAllUp(cluster);
    }),
  );
}

function testRunningBackend(lab: InLab): void {
  const wide = { ...spec, backends: { count: 2, env: { SHOP_LAB: '1' } } };
  const me = async (cluster: LabCluster) =>
    (await ask('GET', `http://127.0.0.1:${cluster.member('backend-2').port}/me`, 2_000)).status;
  /** Checks that the fault is not confirmed before, shows while it lasts, heals twice, and does not show afterwards. */
  async function comesAndGoes(
    cluster: LabCluster,
    fault: Fault,
    seen: RegExp,
    suffers: () => Promise<boolean>,
  ): Promise<void> {
    await fault.heal(cluster);
    expect(await fault.confirm(cluster)).to.equal(false);
    await fault.inject(cluster);
    expect(await fault.confirm(cluster)).to.match(seen);
    expect(await waitUntil(suffers, 5_000)).to.equal(true);
    await fault.heal(cluster);
    await fault.heal(cluster);
    expect(await suffers()).to.equal(false);
    await expectAllUp(cluster);
  }

  it('answers with errors, blocks, or has a wrong clock until it is healed', () =>
    leavingNothing(() =>
      withCluster(wide, async cluster => {
        const errors = faultOf('errors', 'backend-2', { percent: 100 });
        await comesAndGoes(
          cluster,
          errors,
          /^GET \/me answered 500 at try 1$/,
          async () => (await me(cluster)) === 500,
        );

        const block = faultOf('block', 'backend-2', { stall: '120ms', every: '200ms' });
        await comesAndGoes(cluster, block, /^GET \/health took \d+ ms$/, async () => {
          const began = performance.now();
          for (let tries = 0; tries < 3; tries += 1) await cluster.member('backend-2').answers(2_000);
          return performance.now() - began > 100;
        });

        const skew = faultOf('clock-skew', 'backend-2', { by: '-90s' });
        const clock = async () =>
          Object(await ask('GET', `http://127.0.0.1:${cluster.member('backend-2').port}/lab`, 2_000)).json.nowMs;
        await comesAndGoes(
          cluster,
          skew,
          /^its clock is -90 s off$/,
          async () => (await clock()) < Date.now() - 80_000,
        );

        const throughProxy = await ask('POST', `${cluster.proxyUrl}/lab`, 2_000, { errorPercent: 100 });
        expect(throughProxy.status).to.equal(403);
        expect(await me(cluster)).to.equal(200);
      }),
    ));

  it(
    'is rejected without the switches of the toy shop, and all members stay up',
    lab(async cluster => {
      const fault = faultOf('errors', 'backend-2', { percent: 100 });
      const refused = await fault.inject(cluster).catch((error: Error) => error.message);
      expect(refused).to.include('answered 404 to POST /lab').and.include('SHOP_LAB');
      expect(await me(cluster)).to.equal(200);
    }),
  );

  it(
    'dies and comes back several times, and stays up after healing',
    lab(async cluster => {
      const member = cluster.member('backend-2');
      const pids = new Set([member.pid]);
      const fault = faultOf('flap', 'backend-2', { up: '100ms', down: '100ms' });
      expect(await fault.confirm(cluster)).to.equal(false);
      await fault.inject(cluster);
      expect(await fault.confirm(cluster)).to.match(evidenceOf('kill'));
      expect(await waitUntil(async () => pids.add(member.pid).size > 4, 8_000), 'boots').to.equal(true);
      await fault.heal(cluster);
      const { pid } = member;
      await fault.heal(cluster);
      await expectAllUp(cluster);
      expect(member.pid).to.equal(pid);
    }),
  );
}

function testScaling(): void {
  it('start a spare backend, end another for good, and start that again', () =>
    leavingNothing(() =>
      withCluster({ ...spec, backends: { count: 2, spare: 1, env: {} } }, async cluster => {
        const [running, spare] = ['backend-1', 'backend-3'].map(name => cluster.member(name));
        const ready = async () =>
          (await cluster.proxyAdmin.backends()).flatMap(({ name, state }) => (state === 'ready' ? [name] : []));
        expect(spare?.pid).to.equal(undefined);
        expect(await ready()).to.deep.equal(['backend-1', 'backend-2']);

        await strike(cluster, 'scale-out', 'backend-3', /^the proxy has backend-3 ready$/);
        expect(await ready()).to.deep.equal(['backend-1', 'backend-2', 'backend-3']);
        await strike(cluster, 'scale-in', 'backend-1', evidenceOf('drain'));
        expect(running?.pid).to.equal(undefined);
        expect(await ready()).to.deep.equal(['backend-2', 'backend-3']);
        await strike(cluster, 'scale-out', 'backend-1', /^the proxy has backend-1 ready$/);
        expect(await ready()).to.deep.equal(['backend-1', 'backend-2', 'backend-3']);

        const again = faultOf('scale-out', 'backend-1');
        const refused = await again.inject(cluster).catch((error: Error) => error.message);
        expect(refused).to.include('backend-1 is already running');
        expect(await again.confirm(cluster)).to.equal(false);
      }),
    ));

  async function strike(cluster: LabCluster, name: string, target: string, seen: RegExp): Promise<void> {
    const fault = faultOf(name, target);
    expect(await fault.confirm(cluster)).to.equal(false);
    await fault.inject(cluster);
    expect(await fault.confirm(cluster)).to.match(seen);
    await fault.heal(cluster);
  }
}

function testWhileActive(lab: InLab): void {
  it(
    'a kill leaves a port that refuses connections, then a new process',
    lab(async cluster => {
      const member = cluster.member('backend-2');
      const { pid, port } = member;
      const fault = faultOf('kill', 'backend-2');
      await fault.inject(cluster);
      await fault.confirm(cluster);
      expect(await portRefuses(port)).to.equal(true);
      await fault.heal(cluster);
      expect(member.pid).to.not.equal(pid);
      await fault.inject(cluster);
      await fault.confirm(cluster);
      const healed = fault.heal(cluster).catch((error: unknown) => error);
      await waitUntil(async () => member.signal('SIGKILL'), 2_000);
      const struck = await healed;
      expect(struck).to.be.an('error').and.not.an.instanceOf(LabError);
      expect(String(struck)).to.include('was killed by another fault while it was being started');
      await fault.heal(cluster);
      await expectAllUp(cluster);
    }),
  );

  it(
    'a hang leaves the same process, stopped, on a port that accepts connections',
    lab(async cluster => {
      const member = cluster.member('backend-2');
      const pid = member.pid ?? 0;
      const fault = faultOf('hang', 'backend-2');
      await fault.inject(cluster);
      await fault.confirm(cluster);
      expect(await isStopped(pid)).to.equal(true);
      expect(await portRefuses(member.port)).to.equal(false);
      expect(member.state).to.equal('stopped');

      const again = faultOf('hang', 'backend-2');
      const refused = await again.inject(cluster).catch((error: Error) => error.message);
      expect(refused).to.include('is already stopped');
      await again.heal(cluster);
      expect(await isStopped(pid), 'still').to.equal(true);
      await fault.heal(cluster);
      expect(member.pid).to.equal(pid);
      expect(await isStopped(pid)).to.equal(false);
    }),
  );
}

function testSchedule(lab: InLab): void {
  const kill = { id: 'one', trigger: { atMs: 50 }, do: 'kill', target: 'backend-1', forMs: 100 } satisfies FaultSpec;

  it(
    'strikes at its time, or after a delay from the healing of another fault',
    lab(async cluster => {
      const transitions: string[] = [];
      const after = { ...kill, id: 'two', trigger: { afterFault: 'one', delayMs: 50 }, target: 'redis' };
      const [one, two] = (await runFaults([kill, after], stage(cluster, transitions).stage)).records;
      expect(transitions).to.deep.equal(
        ['one', 'two'].flatMap(id => ['injected', 'confirmed', 'healed'].map(what => `${id} ${what}`)),
      );
      expect(one?.requestedMs).to.be.within(50, 150);
      expect(Number(one?.healedMs) - Number(one?.confirmedMs)).to.be.at.least(100);
      expect(two?.requestedMs).to.be.at.least(Number(one?.healedMs) + 50);
      expect(one).to.not.have.property('problem');
      await expectAllUp(cluster);
    }),
  );

  it(
    'records a fault that is not confirmed, heals it, and goes on',
    lab(async cluster => {
      cluster.member('redis').signal('SIGKILL');
      await cluster.member('redis').waitExit(2_000);
      const transitions: string[] = [];
      const [record] = (await runFaults([{ ...kill, target: 'redis' }], stage(cluster, transitions).stage)).records;
      expect(record).to.include({ id: 'one', fault: 'kill', target: 'redis', confirmedMs: null });
      expect(record?.problem).to.equal('kill of redis was not confirmed: redis was not running when it struck');
      expect(record?.healedMs).to.be.a('number');
      expect(transitions).to.deep.equal(['one injected', 'one not-confirmed', 'one healed']);
      await expectAllUp(cluster);
    }),
  );

  it(
    'heals at once when it is interrupted, and injects no further fault',
    lab(async cluster => {
      const transitions: string[] = [];
      const later = { ...kill, id: 'later', trigger: { afterFault: 'one', delayMs: 0 } };
      const staged = stage(cluster, transitions, edge => {
        if (edge === 'one confirmed') staged.interrupt();
      });
      const { records } = await runFaults([{ ...kill, forMs: 60_000 }, later], staged.stage);
      expect(records.map(({ id }) => id)).to.deep.equal(['one']);
      expect(transitions).to.deep.equal(['one injected', 'one confirmed', 'one healed']);
      await expectAllUp(cluster);
    }),
  );

  it(
    'records a process that does not boot after healing, with its last lines, and goes on',
    lab(async cluster => {
      const { port } = cluster.member('backend-1');
      const squatter = createServer(socket => socket.destroy());
      const transitions: string[] = [];
      const squat = (edge: string): void => {
        if (edge === 'one confirmed') squatter.listen(port, '127.0.0.1');
      };
      const after = { ...kill, id: 'two', trigger: { afterFault: 'one', delayMs: 0 }, target: 'redis' };
      const { records } = await runFaults([{ ...kill, forMs: 200 }, after], stage(cluster, transitions, squat).stage);
      squatter.close();
      await once(squatter, 'close');
      const [one, two] = records;
      expect(one).to.include({ healedMs: null }).and.not.have.property('problem');
      expect(one?.healRequestedMs).to.be.at.least(Number(one?.confirmedMs) + 200);
      expect(one?.notBack?.map(({ member }) => member)).to.deep.equal(['backend-1']);
      expect(one?.notBack?.[0]?.why)
        .to.match(/^ended with code \d+ before it answered on port \d+\n\| /)
        .and.include(String(port));
      expect(two?.healedMs, 'the other is healed').to.be.a('number');
      expect(transitions.filter(transition => transition.startsWith('one')).at(-1)).to.equal('one not-healed');
      await cluster.member('backend-1').start();
    }),
  );
}
