import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { root, withHoldfast } from './holdfast.js';

const scenario = (name: string) => path.join(root, `scenarios/${name}.yaml`);

/** Where in the run the Ctrl-C comes: right when this line of progress is seen. Every phase: simulate.test.ts. */
const moments = [
  { at: 'warmup', file: 'kill-one' },
  { at: 'fault hang confirmed', file: 'hang-one' },
  { at: 'starting', file: 'postgres-outage', mode: 'postgres' },
  { at: 'fault outage confirmed', file: 'postgres-outage', mode: 'postgres' },
];

describe('Ctrl-C', function () {
  this.timeout(40_000);

  for (const { at, file, mode = 'redis' } of moments) {
    it(`at "${at}" of ${file}: exit 130, healed, nothing left`, () =>
      withHoldfast(['run', scenario(file), '--mode', mode], async holdfast => {
        await holdfast.sees(at);
        holdfast.child.kill('SIGINT');
        expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
        expect(await holdfast.children()).to.deep.equal([]);
        expect(await holdfast.temporaryFiles()).to.deep.equal([]);
        expect(await readdir(path.join(holdfast.folder, 'reports'))).to.deep.equal([]);
      }));
  }

  it('twice: ends at once, and leaves nothing', () =>
    withHoldfast(['run', scenario('hang-one'), '--mode', 'redis'], async holdfast => {
      await holdfast.sees('fault hang confirmed');
      holdfast.child.kill('SIGINT');
      await holdfast.sees('stopping');
      await delay(250); // two signals closer together count as one key press
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended()).to.equal(130);
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));

  it('kill -9 of the command: its children and its temporary folder go all the same', () =>
    withHoldfast(['run', scenario('hang-one'), '--mode', 'redis'], async holdfast => {
      await holdfast.sees('fault hang confirmed');
      holdfast.child.kill('SIGKILL');
      await holdfast.ended();
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));

  it('during a load', () =>
    withHoldfast(['load', '--mode', 'redis', '--connections', '4', '--duration', '20'], async holdfast => {
      await holdfast.sees('redis, direct');
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));
});
