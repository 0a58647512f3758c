/** scripts/setup.mjs in a fresh clone: nothing is built, and there is no node_modules. npm and the package managers are scripts. */
import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import { findProgram } from '#src/shared/tools.mjs';

interface Clone {
  readonly setUp: (asUser?: number, ...words: readonly string[]) => Promise<{ code: number; stderr: string }>;
  readonly readCalls: () => Promise<readonly string[]>;
  /** Replaces a program on PATH. */
  readonly write: (name: string, text: string) => Promise<void>;
}

/** Makes what tsc and pack.mjs are here: programs that make one file each. */
const npm = `echo npm "$@" >> "$CALLS"
mkdir -p node_modules/typescript/bin
echo "require('node:fs').mkdirSync('dist', { recursive: true })" > node_modules/typescript/bin/tsc
touch node_modules/.package-lock.json`;
const brew = `echo brew "$@" >> "$CALLS"
for name in redis-server memcached; do printf '#!/bin/sh\\n' > "$PATH/$name"; chmod 755 "$PATH/$name"; done`;

async function withClone(use: (clone: Clone) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-test-'));
  const [clone, programs, calls] = ['clone', 'programs', 'calls'].map(name => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  const write = async (name: string, text: string) => {
    await writeFile(path.join(programs, name), `#!/bin/sh\n${text}\n`);
    await chmod(path.join(programs, name), 0o755);
  };
  try {
    for (const file of ['scripts/setup.mjs', 'src/shared/tools.mjs', 'src/doctor/install.mjs', 'package.json'])
      await cp(packageFile(file), path.join(clone, file), { recursive: true });
    await Promise.all(['backends', 'test', 'bench', '../programs'].map(name => mkdir(path.join(clone, name))));
    for (const name of ['package-lock.json', 'tsconfig.json', 'scripts/pack.mjs'])
      await writeFile(path.join(clone, name), '');
    for (const name of ['sh', 'mkdir', 'touch', 'chmod', 'sleep'])
      await symlink(findProgram([name]) ?? '', path.join(programs, name));
    await write('npm', npm);
    await write('brew', brew);
    await chmod(folder, 0o755);
    const env = { PATH: programs, CALLS: calls, CHROMIUM_PATH: '' };
    await use({
      setUp: (uid, ...words) =>
        runToEnd([path.join(clone, 'scripts/setup.mjs'), ...words], { env, cwd: tmpdir(), ...(uid && { uid }) }),
      readCalls: async () => (await readFile(calls, 'utf8').catch(() => '')).split('\n').filter(Boolean),
      write,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

function runToEnd(words: readonly string[], options: object): Promise<{ code: number; stderr: string }> {
  const child = spawn(process.execPath, words, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr?.on('data', chunk => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => resolve({ code: code ?? -1, stderr }));
  });
}

/** Root runs the script as the user nobody, and another user as itself. */
const ordinaryUser = process.getuid?.() === 0 ? 65_534 : undefined;

describe('scripts/setup.mjs', () => {
  it('installs packages and programs in a fresh clone, builds, and then only looks', () =>
    withClone(async ({ setUp, readCalls }) => {
      expect(await setUp()).to.deep.include({ code: 0 });
      const calls = await readCalls();
      expect(calls.toSorted()).to.deep.equal([
        'brew install -q redis memcached',
        'npm ci --include=dev --include=optional --no-audit --no-fund --loglevel=error',
      ]);
      expect(await setUp()).to.deep.equal({ code: 0, stderr: '' });
      expect(await readCalls()).to.deep.equal(calls);
    }));

  it('installs nothing for an ordinary user, and ends with 4 and the line to type', () =>
    withClone(async ({ setUp, readCalls, write }) => {
      await write('apt-get', 'echo "$@" >> "$CALLS"');
      const { code, stderr } = await setUp(ordinaryUser);
      expect(code, stderr).to.equal(4);
      expect(stderr.trimEnd().split('\n')).to.deep.equal([
        stderr.split('\n')[0],
        '  sudo apt-get update && sudo apt-get install -y redis-server memcached',
      ]);
      expect(stderr).to.match(/^setup: missing: redis-server \(for the modes .* Type this, then try again:\n/);
      expect(await readCalls()).to.deep.equal([]);
    }));

  it('adds the tools of the tests and of the containers when they are asked for', () =>
    withClone(async ({ setUp, write }) => {
      await write('apt-get', '');
      const { code, stderr } = await setUp(ordinaryUser, '--test', '--containers');
      expect(code, stderr).to.equal(4);
      expect(stderr).to.match(
        /sudo apt-get install -y redis-server memcached .* docker\.io .* chromium-headless-shell /,
      );
    }));

  for (const program of ['scripts/setup.mjs', 'dist/cli.js'])
    it(`says which Node.js is needed when that of ${program} is too old`, async () => {
      const older = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.3' } })";
      const words = [`--import=data:text/javascript,${encodeURIComponent(older)}`, packageFile(program), '--build'];
      const { code, stderr } = await runToEnd(words, {});
      expect(code).to.equal(4);
      expect(stderr).to.match(/Holdfast needs Node\.js 20\.19 or later.* this is 20\.18\.3\.[\s\S]*nvm install \d\d/);
    });

  it('says which program is still missing after the installation', () =>
    withClone(async ({ setUp, write }) => {
      await write('brew', '');
      const { code, stderr } = await setUp();
      expect(code, stderr).to.equal(4);
      expect(stderr).to.match(
        /still missing after "brew install redis memcached": redis-server, memcached\. Type this/,
      );
    }));

  it('ends the build when the package manager fails, then ends with 4', () =>
    withClone(async ({ setUp, readCalls, write }) => {
      await write('brew', 'echo no such host >&2; exit 100');
      await write('npm', `sleep 0.3; ${npm}`);
      const { code, stderr } = await setUp();
      expect(code).to.equal(4);
      expect(stderr)
        .to.match(/no such host/)
        .and.match(/building \(tsc\)/);
      expect(await readCalls()).to.have.length(1);
    }));
});
