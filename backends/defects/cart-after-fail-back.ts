import type { SessionRecord } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

const lookEveryMs = 50;
/** A timer that is so late has not been late: the whole process stood still. */
const stoodStillMs = 400;
const believesMs = 800;

export const cartAfterFailBack: Defect = {
  summary: 'a backend that had stood still goes on with the carts that it remembers, for a moment',
  sessions: { decorateStore: spoil },
};

/** As a cache in memory that nobody empties when the backend has been away and its users were served by others. */
function spoil(store: SessionStore): SessionStore {
  const remembered = new Map<string, SessionRecord>();
  const believes = afterStandstill();
  return storeWith(store, {
    read: async id => {
      const record = await store.read(id);
      const known = remembered.get(id);
      // Who is logged out stays so: that would be another defect.
      if (record !== undefined && known !== undefined && believes()) return known;
      if (record !== undefined) remembered.set(id, record);
      return record;
    },
    replace: async (id, record) => {
      const outcome = await store.replace(id, record);
      if (outcome === 'saved') remembered.set(id, record);
      else remembered.delete(id);
      return outcome;
    },
  });
}

function afterStandstill(): () => boolean {
  let lastMs = Date.now();
  let untilMs = 0;
  const look = () => {
    const nowMs = Date.now();
    if (nowMs - lastMs > stoodStillMs) untilMs = nowMs + believesMs;
    lastMs = nowMs;
  };
  setInterval(look, lookEveryMs).unref();
  return () => {
    look();
    return Date.now() < untilMs;
  };
}
