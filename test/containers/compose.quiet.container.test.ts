import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { modeNames } from '#src/modes.js';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { strikeMember } from './strike-members.js';
import { makeImages, type Podman, startPodman, tree } from './with-podman.js';

const example = readFileSync(path.join(tree, 'examples/containers/kill-container.yaml'), 'utf8');
/** Networks of Podman belong to the machine, so their names have the process id. */
const project = `holdfast-${process.pid}`;
const compose = ['-p', project, '-f', 'docker-compose.yml', '-f', 'test/containers/compose-limits.yml'];

describe('docker-compose.yml, started by podman', function () {
  this.timeout(300_000);
  const usual = process.env;
  let podman: Podman;
  let port: number;

  before(async () => {
    podman = await startPodman();
    port = await freePort();
    await makeImages(podman);
  });

  after(async () => {
    await podman.run('docker-compose', [...compose, 'down', '-v', '-t', '0']).catch(() => undefined);
    await podman.stop();
    // Other files may run in this process later.
    process.env = usual;
  });

  /** Starts the system in a mode, or changes it to that mode. What served another mode ends at once. */
  async function start(mode: string): Promise<void> {
    const variables = { HOLDFAST_MODE: mode, HOLDFAST_PORT: String(port) };
    await podman.run('docker-compose', [...compose, 'up', '-d', '--no-build', '-t', '0'], variables);
  }

  /** Runs the example with changes. Returns its exit code, what it printed, and its report. */
  async function runExample(mode: string, change: (text: string) => string = text => text, more = {}) {
    const file = path.join(podman.folder, 'kill-container.yaml');
    const json = path.join(podman.folder, 'report.json');
    writeFileSync(file, change(example.replace('http://127.0.0.1:8080', `http://127.0.0.1:${port}`)));
    const args = ['dist/cli.js', 'run', file, '--mode', mode, '--json', json, '--out', path.join(podman.folder, 'out')];
    const options = { cwd: tree, env: { ...podman.env, ...more }, timeout: 120_000 };
    const [code, said] = await new Promise<[number, string]>(resolve =>
      execFile(process.execPath, args, options, (error, stdout, stderr) =>
        resolve([Number(error?.code ?? 0), stdout + stderr]),
      ),
    );
    return { code, said, json };
  }

  for (const mode of modeNames)
    it(`gives the verdict of kill-one in mode ${mode} when a container is killed`, async () => {
      await start(mode);
      const { code, said, json } = await runExample(mode);
      expect(code, said).to.equal(0);
      const [run] = JSON.parse(readFileSync(json, 'utf8')).runs;
      expect(run.verdict).to.equal('pass');
      const [fault] = run.faults;
      expect(fault.confirmedMs).to.be.a('number');
      expect(fault.healedMs).to.be.a('number');
    });

  for (const [driver, action] of [
    ['podman', 'kill'],
    ['podman', 'hang'],
    ['podman', 'stop'],
    ['podman', 'flap'],
    ['docker', 'kill'],
    ['docker', 'hang'],
  ] as const)
    it(`has containers that ${action} strikes by the driver ${driver}`, async () => {
      process.env = podman.env;
      const record = await strikeMember(driver, { selector: 'app=shop', action, target: 'member-any' });
      const { problem, evidence, struck, healedMs } = record;
      expect(problem).to.equal(undefined);
      expect(struck).to.match(new RegExp(`^${project}_backend-[123]_1$`));
      const verb = action === 'flap' ? 'kill' : action;
      expect(evidence).to.contain(`is ${struck}: alive before, not alive after "${verb}" (`);
      // A killed container of podman is "stopped" until podman has cleaned up after it.
      expect(evidence).to.match(action === 'hang' ? /\(paused, / : /\((exited|stopped), /);
      expect(healedMs).to.be.a('number');
      expect(await podman.run('podman', ['inspect', '--format', '{{.State.Status}}', struck ?? ''])).to.equal(
        'running\n',
      );
    });

  it('ends with exit code 4 and one sentence when the selector finds nothing', async () => {
    const { code, said } = await runExample('jwt', text => text.replace('app=shop', 'app=none'));
    expect(code, said).to.equal(4);
    expect(said).to.contain('system.members.selector "app=none" finds no member that is ready, expected at least one');
  });

  it('ends with exit code 4 and says how to install the tool that is missing', async () => {
    const { code, said } = await runExample('jwt', text => text, {
      PATH: path.dirname(process.execPath) === '/usr/bin' ? podman.folder : path.dirname(process.execPath),
    });
    expect(code, said).to.equal(4);
    expect(said).to.contain(
      'The driver podman needs podman, which is not on PATH. Type: node dist/cli.js doctor --install podman',
    );
  });

  it('ends with exit code 4 when podman itself fails', async () => {
    const { code, said } = await runExample('jwt', text => text, { CONTAINERS_STORAGE_CONF: '/proc/none' });
    expect(code, said).to.equal(4);
    expect(said).to.contain('The members of app=shop cannot be listed: "list" of app=shop ended with code 1');
  });
});
