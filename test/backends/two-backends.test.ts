import { type ModeName, modeNames, modes } from '#src/modes.js';
import { keyRing } from './key-rotation.contract.js';
import { parallelAdds } from './parallel-adds.contract.js';
import { ownSessions, sharedSessions } from './shared-sessions.contract.js';
import { startTwoBackends, type TwoBackends } from './two-backends.js';

describe('shop: two backends', function () {
  this.timeout(60_000);

  for (const mode of modeNames) describe(mode, () => twoBackends(mode));
});

/** What each mode promises, on one pair of backends: to start them takes longer than most of what is asked of them. */
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
  // Last: it gives them other keys.
  keyRing(mode, pair);
}
