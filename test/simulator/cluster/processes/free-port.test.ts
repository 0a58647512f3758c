import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';

const file = import.meta.resolve('#src/simulator/cluster/processes/free-port.js');

/** Starts a process that takes a free port, writes it, and runs until it is killed. */
async function startTaker(): Promise<{ readonly port: number; readonly taker: ChildProcess }> {
  const program = `const { freePort } = await import('${file}');
    console.log(await freePort());
    setInterval(() => {}, 1000);`;
  const taker = spawn(process.execPath, ['--input-type=module', '--eval', program]);
  const [line] = await once(createInterface(taker.stdout), 'line');
  return { port: Number(line), taker };
}

describe('a free port', () => {
  it('is not the port that another process has chosen for a server that does not listen yet', async () => {
    const { port, taker } = await startTaker();
    try {
      const own = await freePort();
      const picked = [port, own, port];
      const next = await freePort(() => picked.shift() ?? randomInt(20_000, 32_000));
      expect(picked).to.deep.equal([]);
      expect(next).to.not.be.oneOf([port, own]);
    } finally {
      taker.kill('SIGKILL');
      await once(taker, 'exit');
    }
    expect(await freePort(() => port)).to.equal(port);
  });
});
