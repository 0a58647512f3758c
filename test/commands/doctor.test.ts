/** `holdfast doctor` with folders of links and scripts as PATH: what it finds, what it says, and what it installs. */
import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { findProgram } from '#src/shared/tools.mjs';
import { withHoldfast } from './holdfast.js';
import { commandLine, type Said } from './in-process.js';

/** Runs the doctor with nothing on PATH but links to these programs, and scripts. */
async function withPrograms(
  programs: readonly string[],
  scripts: Readonly<Record<string, string>>,
  use: (folder: string, run: (...words: readonly string[]) => Promise<Said>) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-test-'));
  try {
    for (const name of programs) await symlink(findProgram([name]) ?? '', path.join(folder, name));
    for (const [name, text] of Object.entries(scripts)) {
      await writeFile(path.join(folder, name), `#!/bin/sh\n${text}\n`);
      await chmod(path.join(folder, name), 0o755);
    }
    await use(folder, (...words) => commandLine(['doctor', ...words], { PATH: folder }));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const redis = 'echo "Redis server v=7.2.4 sha=0"';
const memcached = 'echo "memcached 1.6.18"';

/** A brew, which needs no root. It notes how it was called, and makes a memcached. */
const brew = `cd "$(dirname "$0")" && echo "$@" >> calls
printf '#!/bin/sh\\necho memcached 1.6.9\\n' > memcached && chmod 755 memcached`;
/** Notes that it was asked. */
const noted = 'echo "$0" >> "$(dirname "$0")/calls"';
const tools = ['sh', 'dirname', 'chmod', 'cat', 'sleep'] as const;

describe('holdfast doctor', function () {
  this.timeout(30_000);

  it('ends with 0 when everything that is needed is there, whatever else is missing', () =>
    withPrograms(tools, { 'redis-server': redis, memcached }, async (_folder, run) => {
      const { code, stdout, stderr, left } = await run();
      expect({ code, stderr, left }).to.deep.equal({ code: 0, stderr: '', left: [] });
      expect(stdout).to.match(/ok +redis +7\.2\.4 \(/);
      expect(stdout).to.match(/missing +podman\n +does not work: driver: podman\n +type: install podman/);
      expect(stdout).to.match(/\nEverything that is needed is there\.\n$/);
    }));

  it('ends with 4 when Redis is missing, and says what does not work and what to type', () =>
    withPrograms(tools, { memcached, 'apt-get': 'exit 1' }, async (_folder, run) => {
      const { code, stdout, left } = await run();
      expect({ code, left }).to.deep.equal({ code: 4, left: [] });
      expect(stdout).to.match(/missing +redis\n +does not work: the modes redis, jwt and sealed/);
      expect(stdout).to.match(/apt-get install -y redis-server, or use/);
      expect(stdout).to.match(
        /\nNot there or not usable: redis\. Type: .*(doctor --install|install -y redis-server)\n$/,
      );
    }));

  it('tells an old Redis from a good one, and a memcached that fails', () =>
    withPrograms(tools, { 'redis-server': 'echo v=5.0.7', memcached: 'exit 9' }, async (_folder, run) => {
      const { code, stdout } = await run();
      expect(code).to.equal(4);
      expect(stdout).to.match(/old +redis +5\.0\.7 \(.*\), needs 6\.2 or/);
      expect(stdout).to.match(/broken +memcached +.*ended with code 9/);
      expect(stdout).to.include('Not there or not usable: redis, memcached.');
    }));

  it('looks at the named programs only, and then needs each of them', () =>
    withPrograms(tools, { 'valkey-server': 'echo v=8.0.1' }, async (_folder, run) => {
      const found = await run('valkey-server');
      expect(found.code).to.equal(0);
      expect(found.stdout).to.match(
        /^Needed\n {2}ok +redis +8\.0\.1 \(.*\)\n\nEverything that you named is there\.\n$/,
      );
      const missing = await run('redis', 'podman');
      expect(missing.code).to.equal(4);
      expect(missing.stdout).to.include('Not there or not usable: podman.');
    }));

  it('runs only the programs that were named', () => {
    const others = { memcached: noted, podman: noted, unshare: noted, 'iptables-restore': noted };
    return withPrograms(tools, { 'redis-server': redis, ...others }, async (folder, run) => {
      expect((await run('redis')).code).to.equal(0);
      expect(await readCalls(folder)).to.deep.equal([]);
      await run('podman');
      expect(await readCalls(folder)).to.deep.equal([path.join(folder, 'podman')]);
    });
  });

  it('refuses an unknown name and installs nothing', () =>
    withPrograms(tools, { brew }, async (folder, run) => {
      const { code, stderr } = await run('--install', 'memcachd');
      expect(code).to.equal(3);
      expect(stderr).to.match(/unknown program "memcachd"\. Did you mean "memcached"\?/);
      expect(await readCalls(folder)).to.deep.equal([]);
    }));

  it('writes the findings as JSON', () =>
    withPrograms(tools, { 'redis-server': redis }, async (folder, run) => {
      const file = path.join(folder, 'doctor.json');
      const { code } = await run('--json', file);
      const { schema, isReady, findings } = JSON.parse(await readFile(file, 'utf8'));
      expect({ code, schema, isReady }).to.deep.equal({ code: 4, schema: 1, isReady: false });
      const [found] = findings.filter(({ name }: { name: string }) => name === 'redis');
      expect(found).to.include({ group: 'needed', state: 'ok' });
      expect(found.found).to.include('7.2.4');
    }));

  it('is ended by Ctrl-C while a program hangs, and leaves nothing', () =>
    withPrograms(tools, { 'redis-server': 'echo hangs > "$0.started"; exec sleep 60', memcached }, async folder => {
      await withHoldfast(
        ['doctor'],
        async holdfast => {
          await waitForFile(path.join(folder, 'redis-server.started'));
          holdfast.child.kill('SIGINT');
          expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
          expect(await holdfast.children()).to.deep.equal([]);
        },
        { PATH: folder },
      );
    }));
});

describe('a command without a program that it needs', function () {
  this.timeout(30_000);

  for (const [title, words, said] of [
    ['a server, before it starts', ['start'], /^holdfast: redis-server .*is missing on PATH\. .* doctor --install$/],
    ['a server', ['run', 'kill-one', '--mode', 'redis'], /redis-server .*is missing on PATH\. .* doctor --install$/],
    [
      'a proxy',
      ['conformance', '--proxy', 'caddy', '--row', 'first-visit'],
      /caddy needs the program caddy, which is not installed: type .* doctor --install caddy$/,
    ],
  ] as const)
    it(`ends with 4 and one sentence that names the doctor: ${title}`, () =>
      withPrograms(tools, {}, async folder => {
        const { code, stderr } = await commandLine(words, { PATH: folder });
        expect(code, stderr).to.equal(4);
        const lines = stderr.trimEnd().split('\n');
        expect(lines.at(-1)).to.match(said);
        if (title.includes('before')) expect(lines).to.have.length(1);
      }));
});

describe('holdfast doctor --install', function () {
  this.timeout(30_000);

  it('calls the package manager once, looks again, and ends with 0', () =>
    withPrograms(tools, { 'redis-server': redis, brew }, async (folder, run) => {
      const { code, stdout, stderr, left } = await run('--install');
      expect({ code, left }, stderr).to.deep.equal({ code: 0, left: [] });
      expect(await readCalls(folder)).to.deep.equal(['install -q memcached']);
      expect(stderr).to.equal('installing: brew install memcached\n');
      expect(stdout).to.match(/ok +memcached +1\.6\.9/);
    }));

  it('calls nothing when nothing is missing', () =>
    withPrograms(tools, { 'redis-server': redis, memcached, brew }, async (folder, run) => {
      expect((await run('--install')).code).to.equal(0);
      expect(await readCalls(folder)).to.deep.equal([]);
    }));

  it('shows the output of a package manager that fails, and what to type', () =>
    withPrograms(tools, { memcached, brew: 'echo no such host >&2; exit 100' }, async (_folder, run) => {
      const { code, stderr } = await run('--install');
      expect(code).to.equal(4);
      expect(stderr).to.match(
        /no such host\nholdfast: "brew install -q redis" failed\. Type this:\n {2}brew install redis\n$/,
      );
    }));

  it('ends with 4 when the program is still missing afterwards', () =>
    withPrograms(tools, { memcached, brew: 'exit 0' }, async (_folder, run) => {
      const { code, stdout } = await run('--install');
      expect(code).to.equal(4);
      expect(stdout).to.match(/Not there or not usable: redis\. The lines above say what to do\.\n$/);
    }));

  it('says what to type when there is no package manager', () =>
    withPrograms(tools, {}, async (_folder, run) => {
      const { code, stderr } = await run('--install', 'redis');
      expect(code).to.equal(4);
      expect(stderr).to.match(/cannot be installed from here\. Type:\n {2}install redis-server, so that PATH finds it/);
    }));
});

async function readCalls(folder: string): Promise<readonly string[]> {
  const text = await readFile(path.join(folder, 'calls'), 'utf8').catch(() => '');
  return text.split('\n').filter(line => line !== '');
}

async function waitForFile(file: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while ((await readFile(file, 'utf8').catch(() => '')) === '') {
    if (Date.now() > deadline) throw new Error(`${file} did not appear`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}
