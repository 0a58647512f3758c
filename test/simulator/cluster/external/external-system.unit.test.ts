import { expect } from 'chai';
import type { DeployCommands, DriverCommands } from '#src/simulator/cluster/external/drivers.js';
import { ExternalDeployer, ExternalSystem } from '#src/simulator/cluster/external/external-system.js';
import type { RunShell, ShellEnd } from '#src/simulator/cluster/processes/run-program.js';

const commands: DriverCommands = { alive: 'alive {member}' };

function systemWith(end: Partial<ShellEnd>): ExternalSystem {
  const whole: ShellEnd = { ok: false, late: false, how: 'ended with code 1', said: '', printed: '', ...end };
  return new ExternalSystem({ commands, selector: 'app=shop', withinMs: 1_000 }, async () => whole);
}

describe('the command "alive" of a driver', () => {
  for (const [end, expected] of [
    [{ ok: true, how: 'ended with code 0' }, true],
    [{ how: 'ended with code 1' }, false],
    [{ how: 'ended with code 22' }, false],
  ] as const)
    it(`says that a member is ${expected ? 'alive' : 'not alive'} when it ${end.how}`, async () => {
      expect((await systemWith(end).alive('shop-1')).ok).to.equal(expected);
    });

  for (const end of [
    { how: 'ended with code 126' },
    { how: 'ended with code 127' },
    { how: 'ended by SIGKILL' },
    { how: 'ended by spawn /bin/sh EAGAIN' },
    { how: 'did not end within 5 s', late: true },
  ])
    it(`says nothing about a member when it ${end.how}`, async () => {
      const said = await systemWith(end)
        .alive('shop-1')
        .catch((error: Error) => error.message);
      expect(said).to.equal(`"alive" of shop-1 ${end.how}`);
    });
});

describe('the names of members in answers', () => {
  it('stand for a member, unless several members have the same name', async () => {
    const printed = 'shop-1 4f2a web\nshop-2 77b0 web\n';
    const spec = { commands: { ...commands, list: 'list' }, selector: 'app=shop', withinMs: 1_000 };
    const end = { ok: true, late: false, how: 'ended with code 0', said: '', printed };
    const system = new ExternalSystem(spec, async () => end);
    await system.list();
    expect(['4f2a', 'shop-2', 'web'].map(name => system.naming.nameOf(name))).to.deep.equal([
      'shop-1',
      'shop-2',
      'web',
    ]);
  });
});

const deployCommands: DeployCommands = {
  workload: 'workload {selector}',
  rollOut: 'rollOut {workload} {variables} image={image}',
  isDone: 'isDone {workload} {within}',
  rollBack: 'rollBack {workload} {revision}',
  versions: 'versions',
};
const release = { version: 'B', env: { COLOUR: 'light green' } };
const pace = { surge: 0, unavailable: 1 };
const { signal } = new AbortController();

/** A deployer whose commands print what `answers` has for their first word. A missing answer is a failure. */
function withAnswers(answers: Record<string, string | undefined>) {
  const ran: string[] = [];
  const shell: RunShell = async command => {
    ran.push(command);
    const printed = answers[command.split(' ')[0] ?? ''];
    const how = printed === undefined ? 'ended with code 1' : 'ended with code 0';
    return { ok: printed !== undefined, late: false, how, said: printed ?? 'timed out', printed: printed ?? '' };
  };
  return {
    ran,
    answers,
    deployer: new ExternalDeployer(deployCommands, { selector: 'app=shop', withinMs: 5_000 }, shell),
  };
}

const done = { workload: 'shop 4\n', rollOut: '', isDone: '', rollBack: '', versions: '' };

describe('a deployer of members that the lab did not start', () => {
  it('rolls a release out, and rolls back to the revision that ran before', async () => {
    const { deployer, ran } = withAnswers(done);
    await deployer.rollOut(release, 1, pace, signal);
    await deployer.rollBack();
    expect(ran).to.deep.equal([
      'workload app=shop',
      "rollOut shop 'COLOUR=light green' BACKEND_VERSION=B image=''",
      'isDone shop 5s',
      'rollBack shop 4',
      'isDone shop 5s',
    ]);
  });

  it('rolls back nothing when nothing was rolled out, and nothing twice', async () => {
    const { deployer, ran } = withAnswers(done);
    await deployer.rollBack();
    expect(ran).to.deep.equal([]);
    await deployer.rollOut(release, 1, pace, signal);
    await deployer.rollBack();
    await deployer.rollBack();
    expect(ran.filter(command => command.startsWith('rollBack'))).to.have.length(1);
  });

  it('rolls a second release back to the first one, and not to what ran before both', async () => {
    const { deployer, ran, answers } = withAnswers({ ...done });
    await deployer.rollOut(release, 1, pace, signal);
    answers.workload = 'shop 5\n';
    await deployer.rollOut({ ...release, version: 'C' }, 1, pace, signal);
    await deployer.rollBack();
    expect(ran).to.include('rollBack shop 5').and.not.include('rollBack shop 4');
  });

  it('brings back what ran before the run when no rollback has done that, once', async () => {
    const { deployer, ran, answers } = withAnswers({ ...done });
    await deployer.restore();
    expect(ran).to.deep.equal([]);
    await deployer.rollOut(release, 1, pace, signal);
    answers.workload = 'shop 5\n';
    await deployer.rollOut({ ...release, version: 'C' }, 1, pace, signal);
    await deployer.rollBack();
    await deployer.restore();
    await deployer.restore();
    expect(ran.filter(command => command.startsWith('rollBack'))).to.deep.equal(['rollBack shop 5', 'rollBack shop 4']);
  });

  it('has nothing to bring back after a rollback', async () => {
    const { deployer, ran } = withAnswers(done);
    await deployer.rollOut(release, 1, pace, signal);
    await deployer.rollBack();
    await deployer.restore();
    expect(ran.filter(command => command.startsWith('rollBack'))).to.have.length(1);
  });

  it('says what to type when what ran before the run cannot be brought back', async () => {
    const { deployer, answers } = withAnswers({ ...done });
    await deployer.rollOut(release, 1, pace, signal);
    answers.rollBack = undefined;
    expect(await deployer.restore().catch(String)).to.equal(
      'LabError: shop still has the version of the deploy ("rollBack" ended with code 1, and said: timed out). Bring its earlier revision back: rollBack shop 4',
    );
  });

  it('only waits again when a rollback was begun and did not end in time', async () => {
    const { deployer, ran, answers } = withAnswers({ ...done });
    await deployer.rollOut(release, 1, pace, signal);
    answers.isDone = undefined;
    const failed = await deployer.rollBack().catch(String);
    expect(failed).to.equal('Error: "isDone" ended with code 1, and said: timed out');
    answers.isDone = '';
    await deployer.rollBack();
    expect(ran.slice(-3)).to.deep.equal(['rollBack shop 4', 'isDone shop 5s', 'isDone shop 5s']);
  });

  for (const [workload, found] of [
    ['', 'none'],
    ['shop 4\nblog 1\n', 'shop, blog'],
  ] as const)
    it(`changes nothing when the selector finds ${found}`, async () => {
      const { deployer, ran } = withAnswers({ ...done, workload });
      const refused = await deployer.rollOut(release, 1, pace, signal).catch(String);
      expect(refused).to.include(`must find one deployment, and it found ${found}`);
      await deployer.rollBack();
      expect(ran).to.have.length(1);
    });

  it('takes a member without a version for one of the first version', async () => {
    const { deployer } = withAnswers({ ...done, versions: 'shop-1 B\nshop-2\n' });
    expect([...(await deployer.versions())]).to.deep.equal([
      ['shop-1', 'B'],
      ['shop-2', 'A'],
    ]);
  });
});
