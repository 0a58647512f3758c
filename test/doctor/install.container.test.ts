/** The real apt-get, which needs a mirror. It runs in a copy of this machine, so other tests keep their programs. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { findProgram } from '#src/shared/tools.mjs';
import { root } from '../commands/holdfast.js';

const script = path.join(root, 'test/doctor/without-packages.sh');
const namespaces = ['--mount', '--pid', '--fork', '--kill-child'];

describe('holdfast doctor on a machine from which redis-server and memcached were removed', () => {
  it('says what to type, installs both with --install, and starts neither', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-doctor-'));
    const doctor = `"${process.execPath}" dist/cli.js doctor`;
    const steps = `${doctor}; echo "ended with $?, then"; ${doctor} --install; echo "ended with $?"; ps -A -o comm=`;
    const words = [
      ...namespaces,
      'sh',
      script,
      folder,
      'redis-server memcached',
      'sh',
      '-c',
      `exec 2>&1; cd "${root}"; ${steps}`,
    ];
    try {
      const { stdout } = await promisify(execFile)('unshare', words);
      const [before = '', after = ''] = stdout.split('ended with 4, then\n');
      expect(before)
        .to.match(/missing +redis\n/)
        .and.match(/missing +memcached\n/);
      expect(before).to.include('type: apt-get install -y redis-server').and.include('apt-get install -y memcached');
      expect(before).to.include('usable: redis, memcached. Type: node dist/cli.js doctor --install');
      expect(after).to.include('installing: apt-get update && apt-get install -y redis-server memcached\n');
      expect(after)
        .to.match(/ok +redis +\d/)
        .and.match(/ok +memcached +\d/);
      const [said = '', running = ''] = after.split('ended with 0\n');
      expect(said).to.include('Everything that is needed is there.');
      expect(running)
        .to.include('ps')
        .and.not.match(/redis|memcached/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    expect(findProgram(['redis-server']), 'outside nothing changes').to.be.a('string');
  }).timeout(300_000);
});
