import type { Failed, Keeping, Opened, Process } from './keeping.js';
import type { ModelStore, SessionRecord, StoreServer } from './store.js';
import type { VirtualTime } from './virtual-time.js';

/** Where one session is kept. */
interface Shelf {
  readonly get: () => SessionRecord | undefined;
  readonly put: (record: SessionRecord | undefined) => void;
  readonly hasRoom: () => boolean;
}

const cookieBytes = 90;

/** The cookie is the id of a session, which is in the memory of one backend or in a store. */
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
    const shelf = this.#shelf(by, cookie);
    if ('kind' in shelf) return shelf;
    const record = shelf.get();
    return record === undefined ? { kind: 'none', why: 'unknown' } : { kind: 'session', record };
  }

  begin(by: Process, user: string, oldCookie: string | undefined): { kind: 'begun'; cookie: string } | Failed {
    this.#ids += 1;
    const cookie = `id-${this.#ids}`;
    const shelf = this.#shelf(by, cookie);
    if ('kind' in shelf) return shelf;
    if (!shelf.hasRoom()) return { kind: 'failed', afterMs: 1 };
    if (oldCookie !== undefined) this.end(by, oldCookie);
    shelf.put({ user, cart: [] });
    return { kind: 'begun', cookie };
  }

  change(by: Process, cookie: string | undefined, change: (cart: readonly string[]) => readonly string[]): Opened {
    const opened = this.open(by, cookie);
    if (opened.kind !== 'session' || cookie === undefined) return opened;
    const shelf = this.#shelf(by, cookie);
    if ('kind' in shelf) return shelf;
    const record = { ...opened.record, cart: change(opened.record.cart) };
    shelf.put(record);
    return { kind: 'session', record };
  }

  end(by: Process, cookie: string | undefined): { kind: 'ended' } | Failed {
    if (cookie === undefined) return { kind: 'ended' };
    const shelf = this.#shelf(by, cookie);
    if ('kind' in shelf) return shelf;
    if (shelf.get() !== undefined) shelf.put(undefined);
    return { kind: 'ended' };
  }

  cookieBytes(): number {
    return cookieBytes;
  }

  #shelf({ name, memory }: Process, key: string): Shelf | Failed {
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

  #shelfOf(store: ModelStore, server: StoreServer, key: string): Shelf {
    return {
      get: () => server.touch(key),
      put: record => server.put(key, record, this.#time.now()),
      hasRoom: () => store.makeRoom(server),
    };
  }
}
