import { hasLeft, type TakenOut, takeOut } from '../../cluster/remove-backend.js';
import { memberGone, memberGoneInWords } from '../effects.js';
import { defineFault } from '../fault.js';

/** One backend less, for good: what only it knew is gone when its drain window is over. `scale-out` brings it back. */
export const scaleIn = defineFault({
  summary: 'drained by the proxy, then SIGTERM, and nothing comes in its place; it stays away',
  targets: ['backend'],
  options: {},
  effect: memberGone,
  effectInWords: memberGoneInWords,
  make: target => {
    let taken: TakenOut = { drained: false, asked: false };
    return {
      async inject(cluster) {
        taken = await takeOut(cluster, target);
      },
      confirm: cluster => hasLeft(cluster, target, taken),
      heal: async () => undefined,
    };
  },
});
