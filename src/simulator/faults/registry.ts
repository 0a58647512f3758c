import type { FaultEntry } from '../fault.js';
import { drain } from './drain.js';
import { hang } from './hang.js';
import { kill } from './kill.js';
import { replaceSecrets } from './replace-secrets.js';
import { rotateSecrets } from './rotate-secrets.js';

/** Every fault that a scenario can name under `do`. A new one is one file and one line here. */
export const faults: Readonly<Record<string, FaultEntry>> = {
  kill,
  hang,
  drain,
  'rotate-secrets': rotateSecrets,
  'replace-secrets': replaceSecrets,
};
