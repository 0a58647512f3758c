import { expect } from 'chai';
import { RunClock } from '#src/simulator/run/run-clock.js';

describe('the clock of a run', () => {
  it('waits for an infinite time until it is closed, and sets only timers that Node accepts', async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error): number => warnings.push(name);
    process.on('warning', note);
    const clock = new RunClock();
    let isOver = false;
    const over = clock.until(Number.POSITIVE_INFINITY).then(() => {
      isOver = true;
    });
    await clock.until(clock.now() + 20);
    expect(isOver).to.equal(false);
    clock.close();
    await over;
    process.off('warning', note);
    expect(warnings).to.deep.equal([]);
  });
});
