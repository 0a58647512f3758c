import type { SessionRecord } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

const lagMs = 250;

export const staleReplica: Defect = {
  summary: `sessions are read from a copy that is up to ${lagMs} ms late`,
  sessions: { decorateStore: spoil },
};

/** As a replica that is asked for every read. After a conflict the truth is asked for, or no change would ever succeed;
 * an end is known at once, or this would be a second defect. */
function spoil(store: SessionStore): SessionStore {
  const copies = new Map<string, { readonly record: SessionRecord | undefined; readonly untilMs: number }>();
  return storeWith(store, {
    read: async id => {
      const copy = copies.get(id);
      if (copy !== undefined && Date.now() < copy.untilMs) return copy.record;
      const record = await store.read(id);
      if (record !== undefined) copies.set(id, { record, untilMs: Date.now() + lagMs });
      return record;
    },
    replace: async (id, record) => {
      const outcome = await store.replace(id, record);
      if (outcome !== 'saved') copies.delete(id);
      return outcome;
    },
    remove: (id, onlyVersion) => {
      copies.delete(id);
      return store.remove(id, onlyVersion);
    },
  });
}
