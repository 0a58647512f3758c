import type { SessionRecord } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

const savedAfterMs = 400;

export const ackBeforeSave: Defect = {
  summary: `a change is acknowledged at once and saved ${savedAfterMs} ms later: who dies meanwhile takes it along`,
  sessions: { decorateStore: spoil },
};

/** As a write-behind cache. What one process has not saved yet it sees itself, and nobody else does. */
function spoil(store: SessionStore): SessionStore {
  const unsaved = new Map<string, SessionRecord>();
  const save = async (id: string): Promise<void> => {
    const stored = await store.read(id);
    const late = unsaved.get(id);
    if (stored !== undefined && late !== undefined) await store.replace(id, { ...late, version: stored.version + 1 });
    if (unsaved.get(id) !== late) return save(id);
    unsaved.delete(id);
  };
  return storeWith(store, {
    read: async id => {
      const stored = await store.read(id);
      return stored && { ...stored, ...unsaved.get(id) };
    },
    replace: async (id, record) => {
      if (!unsaved.has(id)) setTimeout(() => void save(id).catch(() => unsaved.delete(id)), savedAfterMs);
      unsaved.set(id, record);
      return 'saved';
    },
    remove: (id, onlyVersion) => {
      unsaved.delete(id);
      return store.remove(id, onlyVersion);
    },
  });
}
