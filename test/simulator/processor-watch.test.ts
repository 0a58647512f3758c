import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { BusyStretch, watchProcessors } from '#src/simulator/processor-watch.js';

/** Looks of 200 ms each; what of 1,000 is idle in each. */
function longestMs(idles: readonly number[]): number {
  const stretch = new BusyStretch();
  let idle = 0;
  stretch.add(0, { idle, total: 0 });
  for (const [index, share] of idles.entries()) {
    idle += share;
    stretch.add((index + 1) * 200, { idle, total: (index + 1) * 1_000 });
  }
  return stretch.longestMs;
}

describe('how long no processor was idle', () => {
  for (const [what, idles, ms] of [
    ['never looked at', [], 0],
    ['always half idle', [500, 500, 500], 0],
    ['just idle enough', [50, 50], 0],
    ['never idle', [0, 49, 0], 600],
    ['the longer of two stretches, not their sum', [0, 0, 500, 0, 0, 0, 900, 0], 600],
  ] as const) {
    it(`${what}: ${ms} ms`, () => expect(longestMs(idles)).to.equal(ms));
  }

  it('is not told from a clock that stands still', () => {
    const stretch = new BusyStretch();
    for (const atMs of [0, 200, 400]) stretch.add(atMs, { idle: 7, total: 9 });
    expect(stretch.longestMs).to.equal(0);
  });

  it('is seen on this machine while there is more to do than processors', async () => {
    const busyMs = watchProcessors();
    const burn = ['-e', 'require("os").setPriority(19); for (;;);'];
    const burners = Array.from({ length: availableParallelism() }, () => spawn(process.execPath, burn));
    await delay(1_500);
    for (const burner of burners) burner.kill('SIGKILL');
    expect(busyMs()).to.be.greaterThan(500);
  });
});
