import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { Thread } from '#src/simulator/history/open-history.js';

describe('a thread of the checker', () => {
  it('rejects the next message when it failed while nothing waited for one', async () => {
    const thread = new Thread('dist/test/simulator/history/programs/ends-early.js', undefined);
    expect(await thread.receive()).to.equal('first');
    thread.send('fail');
    await setTimeout(200);
    const failure = await thread.receive().catch((error: unknown) => error);
    expect(String(failure)).to.include('no second message');
  });
});
