import type { SessionStore } from '#src/sessions/session-store.js';

/** The same store with some of its calls exchanged. */
export function storeWith(store: SessionStore, exchanged: Partial<SessionStore>): SessionStore {
  return {
    read: id => store.read(id),
    create: (id, record) => store.create(id, record),
    replace: (id, record) => store.replace(id, record),
    touch: (id, idleUntilMs) => store.touch(id, idleUntilMs),
    remove: (id, onlyVersion) => store.remove(id, onlyVersion),
    listByUser: user => store.listByUser(user),
    removeByHandle: (user, handle) => store.removeByHandle(user, handle),
    clear: () => store.clear(),
    ready: withinMs => store.ready(withinMs),
    close: () => store.close(),
    ...(store.statistics === undefined ? {} : { statistics: store.statistics.bind(store) }),
    ...exchanged,
  };
}
