import { generateKeyRing, type KeyRing } from '../../../shared/key-ring.js';
import { describeSharedRing, sharedRing, shareRing } from '../../cluster/shared-secrets.js';
import { keysInWords } from '../effects.js';
import type { FaultEntry } from '../fault.js';

/**
 * Rotates in two steps, as it should be done: first every backend learns to verify with the new key, then they sign with it.
 * In one step, a backend that has read the file already would sign what the others cannot read yet.
 */
export const rotateSecrets: FaultEntry = {
  summary: 'a new key at the end of the ring, then at its head, SIGHUP for each; the old one stays',
  targets: ['secrets'],
  options: {},
  effect: () => ({ kind: 'keys' }),
  effectInWords: keysInWords,
  make: () => {
    let ring: KeyRing | undefined;
    return {
      async inject(cluster) {
        const old = await sharedRing(cluster);
        const fresh = generateKeyRing();
        if (!(await shareRing(cluster, [...old, ...fresh]))) return;
        ring = [...fresh, ...old];
        await shareRing(cluster, ring);
      },
      confirm: async cluster => ring !== undefined && describeSharedRing(cluster, ring),
      // A rotation is no damage: there is nothing to undo.
      heal: async () => undefined,
    };
  },
};
