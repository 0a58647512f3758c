import { type ModeName, modeNames, modes } from '#src/modes.js';
import { keyRing } from './key-rotation.contract.js';
import { parallelAdds } from './parallel-adds.contract.js';
import { parallelEnds } from './parallel-ends.contract.js';
import { ownSessions, sharedSessions } from './shared-sessions.contract.js';
import { startTwoBackends, type TwoBackends } from './two-backends.js';

describe('shop: two backends', function () {
  this.timeout(60_000);

  for (const mode of modeNames) describe(mode, () => twoBackends(mode));
});

/** Tests the promises of each mode on one pair of backends, because starting them takes longer than most tests. */
function twoBackends(mode: ModeName): void {
  let started: TwoBackends;

  before(async () => {
    started = await startTwoBackends(mode);
  });

  after(() => started.stop());

  const pair = () => started;
  if (modes[mode].affinity) ownSessions(pair);
  else sharedSessions(mode, pair);
  parallelAdds(mode, pair);
  parallelEnds(mode, pair);
  // This comes last, because it changes the keys of the backends.
  keyRing(mode, pair);
}
