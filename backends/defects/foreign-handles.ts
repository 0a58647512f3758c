import { digestOf, handleOf } from '#src/sessions/session-id.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

export const foreignHandles: Defect = {
  summary: 'who ends a session by its handle is not asked whose it is',
  sessions: { decorateStore: spoil },
};

/** It can only find whose it is for sessions that this process has begun. */
function spoil(store: SessionStore): SessionStore {
  const owners = new Map<string, string>();
  return storeWith(store, {
    create: (id, record) => {
      owners.set(handleOf(digestOf(id)), record.user);
      return store.create(id, record);
    },
    removeByHandle: (user, handle) => store.removeByHandle(owners.get(handle) ?? user, handle),
  });
}
