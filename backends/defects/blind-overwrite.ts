import type { SessionRecord } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

const triesMax = 20;

export const blindOverwrite: Defect = {
  summary: 'a session is written back whole, whatever the store holds by now: no compare-and-set',
  sessions: { decorateStore: store => storeWith(store, { replace: (id, record) => overwrite(store, id, record) }) },
};

/** As `SET key value`: it takes the version that it meets for its own, and makes anew what has been removed. */
async function overwrite(store: SessionStore, id: string, record: SessionRecord): Promise<'saved' | 'gone'> {
  for (let tries = 0; tries < triesMax; tries++) {
    const current = await store.read(id);
    if (current === undefined) {
      await store.create(id, record);
      return 'saved';
    }
    if ((await store.replace(id, { ...record, version: current.version + 1 })) === 'saved') return 'saved';
  }
  return 'gone';
}
