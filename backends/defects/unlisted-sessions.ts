import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

export const unlistedSessions: Defect = {
  summary: 'nobody knows whose sessions there are: those of a user, or of everyone, cannot be found to end them',
  sessions: {
    decorateStore: store =>
      storeWith(store, { listByUser: async () => [], removeByHandle: async () => false, clear: async () => undefined }),
  },
};
