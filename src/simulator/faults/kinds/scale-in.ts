import { describeRemoval, type Removal, removeBackend } from '../../cluster/remove-backend.js';
import { memberGoneEffect, memberGoneInWords } from '../effects.js';
import { defineFault } from '../fault.js';

/** One backend less, for good: what only it knew is gone when its drain window is over. `scale-out` brings it back. */
export const scaleIn = defineFault({
  summary: 'drained by the proxy, then SIGTERM, and nothing comes in its place; it stays away',
  targets: ['backend'],
  options: {},
  effect: memberGoneEffect,
  effectInWords: memberGoneInWords,
  make: target => {
    let taken: Removal = { drained: false, asked: false };
    return {
      async inject(cluster) {
        taken = await removeBackend(cluster, target);
      },
      confirm: cluster => describeRemoval(cluster, target, taken),
      heal: async () => undefined,
    };
  },
});
