import { generateKeyRing, type KeyRing } from '../../../shared/key-ring.js';
import { describeSharedRing, shareRing } from '../../cluster/shared-secrets.js';
import { type FaultEntry, keysInWords } from '../fault.js';

/** Replaces the whole key ring, as after an incident, or as a deploy does that creates a new secret at every start. */
export const replaceSecrets: FaultEntry = {
  summary: 'replaces the key ring by a new key, then SIGHUP: sessions signed with old keys are refused',
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
      // Nothing is undone: the old ring would accept the old sessions again and refuse the ones created since.
      heal: async () => undefined,
    };
  },
};
