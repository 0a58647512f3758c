import { describeRemoval, type Removal, removeBackend } from '../../cluster/remove-backend.js';
import { defineFault, memberGoneEffect, memberGoneInWords } from '../fault.js';

/** Removes one backend for good. Sessions in its memory are lost after its drain window. `scale-out` restarts it. */
export const scaleIn = defineFault({
  summary: 'the proxy drains a backend, then SIGTERM; nothing replaces it and healing does not start it',
  targets: ['backend'],
  needsDrain: true,
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
