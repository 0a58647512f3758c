import { copyText } from '../../../shared/text.js';
import { nextEpoch } from '../../session.js';
import { prefixOf, type StoreSettings } from '../../session-store.js';
import type { Servers } from './servers.js';

/** Number of copies in a cluster. With fewer, a server with few slots might have none. */
const copiesInCluster = 64;

/**
 * The epoch of everyone. In a cluster it has copies, so that every server has at least one. So a session and the epoch
 * are read from the same server, and the loss of another server does not matter.
 *
 * All copies are equal. A raised epoch counts when every copy has it.
 */
export class EveryoneEpoch {
  readonly #servers: Servers;
  readonly #now: () => number;
  readonly #keys: readonly string[];
  readonly #asked = new Map<string, Promise<number | undefined>>();
  #making: Promise<number> | undefined;
  /** The highest epoch that this process has seen. A server with a lower one has lost writes. */
  #known = 0;

  constructor(servers: Servers, settings: StoreSettings) {
    this.#servers = servers;
    this.#now = settings.now;
    this.#keys = Array.from(
      { length: servers.isCluster ? copiesInCluster : 1 },
      (_, at) => `${prefixOf(settings)}:everyone:${at}`,
    );
  }

  /** Reads the epoch from the server of `key`. Undefined if it was lost there. Calls in the same turn share one
   * command: it is sent at the end of the turn. */
  readNear(key: string): Promise<number | undefined> {
    const own = this.#servers.findNear(key, this.#keys);
    const asked = this.#asked.get(own);
    if (asked !== undefined) return asked;
    const asking = this.#read(own);
    this.#asked.set(own, asking);
    setImmediate(() => this.#asked.delete(own));
    return asking;
  }

  /** Returns the epoch for a login at the server of `key`. Makes it where it is missing. */
  async ensure(key: string, given: number | undefined): Promise<number> {
    const found = await this.readNear(key);
    if (found !== undefined && found >= (given ?? 0)) return found;
    if (given !== undefined) return this.#make(given);
    this.#making ??= this.#make(0).finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** Raises the epoch. Resolves with it. */
  async raise(): Promise<number> {
    const highest = Math.max(...(await this.#readAll()), this.#known);
    return this.#raiseTo('removals', nextEpoch(highest === 0 ? undefined : highest, this.#now()));
  }

  /** Makes the missing copies, equal to the others. Raises all if some are lower than another, or than `least`. */
  async #make(least: number): Promise<number> {
    const highest = Math.max(least, ...(await this.#readAll()));
    const epoch = highest > 0 ? highest : Math.max(nextEpoch(undefined, this.#now()), this.#known + 1);
    const made = await Promise.all(
      this.#keys.map(key => this.#servers.askReplicated('writes', key, server => server.everyoneMake(key, epoch))),
    );
    const wanted = Math.max(least, ...made);
    return made.every(each => each === wanted) ? wanted : this.#raiseTo('writes', wanted);
  }

  /** Reads every copy. A lost one counts as 0. */
  async #readAll(): Promise<readonly number[]> {
    return (await Promise.all(this.#keys.map(key => this.#read(key)))).map(epoch => epoch ?? 0);
  }

  async #read(key: string): Promise<number | undefined> {
    const text = await this.#servers.ask('reads', key, server => server.get(key), null);
    const epoch = isEpoch(text) ? Number(text) : undefined;
    if (epoch === undefined) return undefined;
    if (epoch < this.#known) this.#raiseTo('removals', this.#known).catch(() => undefined);
    this.#known = Math.max(this.#known, epoch);
    return this.#known;
  }

  async #raiseTo(kind: 'writes' | 'removals', epoch: number): Promise<number> {
    const raised = await Promise.all(
      this.#keys.map(key => this.#servers.askReplicated(kind, key, server => server.everyoneRaise(key, epoch))),
    );
    this.#known = Math.max(this.#known, ...raised);
    return this.#known;
  }
}

/** Maximum number of users in each of the two maps. */
const usersMax = 50_000;

/**
 * The highest epoch of each user that this process has seen. A server that came back with an older snapshot, or a
 * replica that took over without the last writes, has a lower one. So its sessions are known to have ended.
 *
 * It remembers the last 50,000 users at least. When `#recent` is full, it becomes `#older`, and the former `#older` is
 * forgotten. So most reads write nothing.
 */
export class KnownEpochs {
  #recent = new Map<string, number>();
  #older: ReadonlyMap<string, number> = new Map();

  /** Returns the highest epoch that was seen, or 0. */
  of(tag: string): number {
    return this.#recent.get(tag) ?? this.#older.get(tag) ?? 0;
  }

  /** Records an epoch. Returns the highest one. */
  see(tag: string, epoch: number): number {
    const recent = this.#recent.get(tag);
    if (recent !== undefined && recent >= epoch) return recent;
    const highest = Math.max(epoch, this.of(tag));
    if (recent === undefined && this.#recent.size >= usersMax) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(copyText(tag), highest);
    return highest;
  }
}

/** Reports whether a value from the server is an epoch. Any other value is a lost epoch. */
export function isEpoch(text: string | null): text is string {
  return text !== null && /^\d{1,15}$/.test(text);
}
