import { generateKeyRing, type KeyRing } from '../../../shared/key-ring.js';
import { describeSharedRing, readSharedRing, shareRing } from '../../cluster/shared-secrets.js';
import { type FaultEntry, keysInWords } from '../fault.js';

/**
 * Rotates the key in two steps. First every backend can verify with the new key, then all sign with it. With one step,
 * the first backend to read the file would sign sessions that the others cannot read yet.
 */
export const rotateSecrets: FaultEntry = {
  summary: 'adds a new key at the end of the ring, then puts it first, each with SIGHUP; keeps the old key',
  targets: ['secrets'],
  options: {},
  effect: () => ({ kind: 'keys' }),
  effectInWords: keysInWords,
  make: () => {
    let ring: KeyRing | undefined;
    return {
      async inject(cluster) {
        const old = await readSharedRing(cluster);
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
