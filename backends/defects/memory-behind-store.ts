import type { Defect } from './defect.js';

/** As a shop whose configuration names a shared store, and whose code never got it. */
export const memoryBehindStore: Defect = {
  summary: 'sessions are kept in the memory of each backend, though every backend is to know all of them',
  sessions: { store: 'memory' },
};
