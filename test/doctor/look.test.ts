import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { askVersion } from '#src/doctor/look.js';
import { until } from '../commands/holdfast.js';

const never = new AbortController().signal;

describe('asking a program for its version', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-test-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function script(text: string): Promise<string> {
    const file = path.join(folder, `program-${text.length}`);
    await writeFile(file, `#!/bin/sh\n${text}\n`);
    await chmod(file, 0o755);
    return file;
  }

  for (const [printed, version] of [
    ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64', '7.0.15'],
    ['Valkey server v=8.0.1 sha=00000000:0', '8.0.1'],
    ['memcached 1.6.18', '1.6.18'],
    ['ip utility, iproute2-6.1.0, libbpf 1.1.0', '6.1.0'],
    ['iptables-restore v1.8.9 (nf_tables)', '1.8.9'],
    ['HAProxy version 2.6.12-1+deb12u2 2023/12/16', '2.6.12'],
    ['Server version: Apache/2.4.62 (Debian)', '2.4.62'],
    ['Client Version: version.Info{Major:"1", Minor:"20", GitVersion:"v1.20.5"}', '1.20.5'],
    ['systemd 252', '252'],
    ['no number', undefined],
  ] as const)
    it(`reads ${version} in "${printed}"`, async () => {
      const fact = await askVersion(await script(`echo '${printed}' >&2`), [], never);
      expect([fact.version, fact.problem]).to.deep.equal([version, undefined]);
    });

  for (const [title, text, problem] of [
    ['fails', 'echo 2.0; echo no such library; exit 3', /^ended with code 3, and said: no such library$/],
    ['is killed', 'kill -9 $$', /^ended by SIGKILL$/],
  ] as const)
    it(`says how a program ended that ${title}`, async () => {
      const fact = await askVersion(await script(text), [], never);
      expect(fact.version).to.equal(undefined);
      expect(fact.problem).to.match(problem);
    });

  it('says that a file cannot be run', async () => {
    const { problem } = await askVersion(path.join(folder, 'no-such-file'), [], never);
    expect(problem).to.match(/^cannot be run: .*ENOENT/);
  });

  it('ends a program that hangs, and what that has started', async () => {
    const pids = path.join(folder, 'pids');
    const file = await script(`sleep 60 & echo $$ $! > ${pids}.part; mv ${pids}.part ${pids}; wait`);
    const { problem } = await askVersion(file, [], never, 300);
    expect(problem).to.equal('did not answer within 0.3 s');
    await expectEnded(pids);
  });

  it('ends a program that hangs when the user interrupts', async () => {
    const pids = path.join(folder, 'interrupted');
    const file = await script(`echo $$ > ${pids}.part; mv ${pids}.part ${pids}; exec sleep 60`);
    const interruption = new AbortController();
    const asked = askVersion(file, [], interruption.signal, 60_000).catch((reason: unknown) => reason);
    await until(
      () =>
        readFile(pids).then(
          () => true,
          () => false,
        ),
      5_000,
      () => pids,
    );
    interruption.abort('SIGINT');
    expect(await asked).to.equal('SIGINT');
    await expectEnded(pids);
  });

  async function expectEnded(file: string): Promise<void> {
    const pids = (await readFile(file, 'utf8')).trim().split(' ').map(Number);
    await until(
      () => !pids.some(isRunning),
      5_000,
      () => `the end of ${pids}`,
    );
  }
});

/** A zombie has ended, too. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
