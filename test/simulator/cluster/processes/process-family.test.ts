import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { killDaemons, sendSignal } from '#src/simulator/cluster/processes/process-family.js';

const mark = `${tmpdir()}/holdfast-${process.pid}-daemons/`;

function start(words: string, detached: boolean): ChildProcess {
  return spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)', words], { detached, stdio: 'ignore' });
}

describe('the end of what commands have sent into the background', () => {
  it('reaches a process of another group that has the folder of the lab in its command line, and no other', async () => {
    const daemon = start(`${mark}proxy.conf`, true);
    const others = [start(`${mark}proxy.conf`, false), start('another.conf', true)];
    try {
      await Promise.all([daemon, ...others].map(child => once(child, 'spawn')));
      const ended = once(daemon, 'exit');
      killDaemons(mark);
      const [, signal] = await ended;
      expect(signal).to.equal('SIGKILL');
      expect(others.map(({ pid = 0 }) => sendSignal(pid, 0))).to.deep.equal([true, true]);
    } finally {
      for (const child of [daemon, ...others]) child.kill('SIGKILL');
    }
  });
});
