import { generateKeyRing, type KeyRing } from '../../../shared/key-ring.js';
import { describeSharedRing, shareRing } from '../../cluster/shared-secrets.js';
import { keysInWords } from '../effects.js';
import type { FaultEntry } from '../fault.js';

/** Replaces the whole ring: an incident calls for it, and a deploy does it that makes a new secret at every boot. */
export const replaceSecrets: FaultEntry = {
  summary: 'a new key alone in the ring, SIGHUP for each: what the old keys signed is refused',
  targets: ['secrets'],
  options: {},
  effect: () => ({ kind: 'keys' }),
  effectInWords: keysInWords,
  make: () => {
    let ring: KeyRing | undefined;
    return {
      async inject(cluster) {
        ring = generateKeyRing();
        await shareRing(cluster, ring);
      },
      confirm: async cluster => ring !== undefined && describeSharedRing(cluster, ring),
      // The old ring would let its sessions in again, and the sessions begun since would be the ones to go.
      heal: async () => undefined,
    };
  },
};
