import { spawnSync } from 'node:child_process';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { expect } from 'chai';
import { LastLines } from '#src/simulator/cluster/processes/run-program.js';

async function lastOf(...chunks: (string | Buffer)[]): Promise<string[]> {
  const stream = Readable.from(chunks, { objectMode: false });
  const lines = new LastLines(2, [stream]);
  await finished(stream);
  return lines.text('').split('\n').slice(0, -1);
}

describe('the last lines of a process', () => {
  it('are complete, in whatever chunks they arrive, and leave out empty lines', async () => {
    expect(await lastOf('one\ntw', 'o\r\n', '\n \n', 'thr', 'ee')).to.deep.equal(['two', 'three']);
    const [first, second] = [Buffer.from('é\n').subarray(0, 1), Buffer.from('é\n').subarray(1)];
    expect(await lastOf(first, second)).to.deep.equal(['é']);
    expect(await lastOf()).to.deep.equal([]);
  });

  it('are cut to a limit, even when a line never ends', async () => {
    const endless = 'x'.repeat(1_000_000);
    const [line, ...more] = await lastOf(...Array.from({ length: 50 }, () => endless));
    expect(line).to.have.length(500);
    expect(more).to.be.empty;
    expect(await lastOf(endless, '\nend')).to.have.property('1', 'end');
  });

  it('do not keep the event loop open when another process holds the stream', () => {
    const module = import.meta.resolve('#src/simulator/cluster/processes/run-program.js');
    const code = `
      const { LastLines, unrefStreams } = await import(${JSON.stringify(module)});
      const { spawn } = await import('node:child_process');
      const child = spawn('/bin/sh', ['-c', 'sleep 5 & echo gone'], { stdio: ['ignore', 'pipe', 'pipe'] });
      new LastLines(1, [child.stdout, child.stderr]);
      child.once('exit', () => unrefStreams([child.stdout, child.stderr]));`;
    const began = performance.now();
    expect(spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })).to.include({
      status: 0,
      stderr: '',
    });
    expect(performance.now() - began).to.be.lessThan(4_500);
  });
});
