import type { Failed, Keeping, Opened, Process } from './keeping.js';
import type { ModelStore, SessionRecord, StoreServer } from './store.js';
import type { VirtualTime } from './virtual-time.js';

/** Access to one stored session. */
interface Slot {
  readonly get: () => SessionRecord | undefined;
  readonly put: (record: SessionRecord | undefined) => void;
  readonly hasRoom: () => boolean;
}

const cookieBytes = 90;

/** Keeps sessions in the memory of one backend or in a store. The cookie is the id of a session. */
export class KeepingById implements Keeping {
  readonly #store: ModelStore | undefined;
  readonly #time: VirtualTime;
  #ids = 0;

  constructor(store: ModelStore | undefined, time: VirtualTime) {
    this.#store = store;
    this.#time = time;
  }

  open(by: Process, cookie: string | undefined): Opened {
    if (cookie === undefined) return { kind: 'none', why: 'absent' };
    const slot = this.#slot(by, cookie);
    if ('kind' in slot) return slot;
    const record = slot.get();
    return record === undefined ? { kind: 'none', why: 'unknown' } : { kind: 'session', record };
  }

  begin(by: Process, user: string, oldCookie: string | undefined): { kind: 'begun'; cookie: string } | Failed {
    this.#ids += 1;
    const cookie = `id-${this.#ids}`;
    const slot = this.#slot(by, cookie);
    if ('kind' in slot) return slot;
    if (!slot.hasRoom()) return { kind: 'failed', afterMs: 1 };
    if (oldCookie !== undefined) this.end(by, oldCookie);
    slot.put({ user, cart: [] });
    return { kind: 'begun', cookie };
  }

  change(by: Process, cookie: string | undefined, change: (cart: readonly string[]) => readonly string[]): Opened {
    const opened = this.open(by, cookie);
    if (opened.kind !== 'session' || cookie === undefined) return opened;
    const slot = this.#slot(by, cookie);
    if ('kind' in slot) return slot;
    const record = { ...opened.record, cart: change(opened.record.cart) };
    slot.put(record);
    return { kind: 'session', record };
  }

  end(by: Process, cookie: string | undefined): { kind: 'ended' } | Failed {
    if (cookie === undefined) return { kind: 'ended' };
    const slot = this.#slot(by, cookie);
    if ('kind' in slot) return slot;
    if (slot.get() !== undefined) slot.put(undefined);
    return { kind: 'ended' };
  }

  cookieBytes(): number {
    return cookieBytes;
  }

  #slot({ name, memory }: Process, key: string): Slot | Failed {
    if (this.#store === undefined) {
      const put = (record: SessionRecord | undefined) =>
        void (record === undefined ? memory.delete(key) : memory.set(key, record));
      return { get: () => memory.get(key), put, hasRoom: () => true };
    }
    const asked = this.#store.ask(name, key);
    return 'server' in asked
      ? this.#shelfOf(this.#store, asked.server, key)
      : { kind: 'failed', afterMs: asked.failsAfterMs };
  }

  #shelfOf(store: ModelStore, server: StoreServer, key: string): Slot {
    return {
      get: () => server.touch(key),
      put: record => server.put(key, record, this.#time.now()),
      hasRoom: () => store.makeRoom(server),
    };
  }
}
