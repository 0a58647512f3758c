import type { NewSessionRecord, SessionRecord } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';

type Call = Exclude<keyof SessionStore, 'ready' | 'close'>;

/** A real store that records its calls, and can run a hook just before one. */
export interface WatchedStore extends SessionStore {
  readonly calls: Call[];
  /** Runs before the named call, once per call, until it is replaced. Calls from inside it are not recorded. */
  before(call: Call, interrupt: (store: SessionStore) => Promise<unknown>): void;
}

export function watched(store: SessionStore): WatchedStore {
  const calls: Call[] = [];
  const interrupts = new Map<Call, (store: SessionStore) => Promise<unknown>>();
  const watch = async <T>(call: Call, run: () => Promise<T>): Promise<T> => {
    calls.push(call);
    await interrupts.get(call)?.(store);
    return run();
  };
  return {
    calls,
    before: (call, interrupt) => void interrupts.set(call, interrupt),
    read: id => watch('read', () => store.read(id)),
    create: (id: string, record: NewSessionRecord) => watch('create', () => store.create(id, record)),
    replace: (id: string, record: SessionRecord) => watch('replace', () => store.replace(id, record)),
    touch: (id, untilMs) => watch('touch', () => store.touch(id, untilMs)),
    remove: (id, onlyVersion) => watch('remove', () => store.remove(id, onlyVersion)),
    listByUser: user => watch('listByUser', () => store.listByUser(user)),
    removeByHandle: (user, handle) => watch('removeByHandle', () => store.removeByHandle(user, handle)),
    raiseEpoch: (user, except) => watch('raiseEpoch', () => store.raiseEpoch(user, except)),
    clear: () => watch('clear', () => store.clear()),
    ready: withinMs => store.ready(withinMs),
    close: () => store.close(),
  };
}
