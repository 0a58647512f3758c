import { generateKeyRing, type KeyRing } from '../../../shared/key-ring.js';
import { describeSharedRing, readSharedRing, shareRing } from '../../cluster/shared-secrets.js';
import { type FaultEntry, keysInWords } from '../fault.js';

/** Faults of the key ring that all backends share. */

/**
 * Rotates the key in two steps. First every backend can verify with the new key, then all sign with it. With one step,
 * the first backend to read the file would sign sessions that the others cannot read yet.
 */
export const rotateSecrets: FaultEntry = {
  summary: 'adds a new key at the end of the ring, then puts it first, each with SIGHUP; keeps the old key',
  doneInWords: 'got a new key beside the old one',
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

/** Replaces the whole key ring, as after an incident, or as a deploy does that creates a new secret at every start. */
export const replaceSecrets: FaultEntry = {
  summary: 'replaces the key ring by a new key, then SIGHUP: sessions signed with old keys are refused',
  doneInWords: 'got a new key',
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
