import type { FaultEntry } from './fault.js';

export const knownFaults: Readonly<Record<string, Pick<FaultEntry, 'targets'>>> = {
  kill: { targets: ['backend', 'store'] },
  hang: { targets: ['backend', 'store'] },
  drain: { targets: ['backend'] },
};
