import { isStoreServer, type StoresSpec, shapeOf } from '#src/simulator/cluster/stores/registry.js';
import type { ModelLinks } from './links.js';
import type { VirtualTime } from './virtual-time.js';

/** The content of a session: its user, and its cart in the order of the adds. */
export interface SessionRecord {
  readonly user: string;
  readonly cart: readonly string[];
}

interface Change {
  readonly atMs: number;
  readonly key: string;
  readonly before: SessionRecord | undefined;
}

/** Time-out of a call to a store. */
const callTimeoutMs = 500;
const refusedMs = 1;
/** Bytes of one call, for the counters of a link. */
const callBytes = 100;

/** One server and its entries. */
export class StoreServer {
  readonly name: string;
  state: 'up' | 'dead' | 'hung' = 'up';
  entries = new Map<string, SessionRecord>();
  /** Number of executed calls. */
  asked = 0;
  evictions = 0;
  /** The replicas that copy its changes. */
  readonly replicas: StoreServer[] = [];
  /** State of the replication. A cut-off replica misses changes; a hung one gets them when it resumes. */
  feed: 'well' | 'cut' | 'waiting' = 'well';
  isPromoted = false;
  /** Number of changes that did not reach it. */
  missed = 0;
  #waiting: (() => void)[] = [];
  #changes: Change[] = [];

  constructor(name: string) {
    this.name = name;
  }

  put(key: string, record: SessionRecord | undefined, atMs: number): void {
    this.#changes.push({ atMs, key, before: this.entries.get(key) });
    this.entries.delete(key);
    if (record !== undefined) this.entries.set(key, record);
    for (const replica of this.replicas) replica.follow(() => replica.put(key, record, atMs));
  }

  /** Reads a session, and marks it as the most recently used: the least recently used one is evicted first. */
  touch(key: string): SessionRecord | undefined {
    const record = this.entries.get(key);
    if (record === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, record);
    return record;
  }

  follow(change: () => void): void {
    if (this.isPromoted) this.missed += 1;
    else if (this.feed === 'well') change();
    else if (this.feed === 'waiting') this.#waiting.push(change);
    else this.missed += 1;
  }

  /** Applies the changes that arrived while it hung. */
  catchUp(): void {
    this.feed = 'well';
    for (const change of this.#waiting.splice(0)) change();
  }

  copy(other: StoreServer): void {
    this.entries = new Map(other.entries);
  }

  /** Undoes every change since that time, because it had not reached the disk. */
  undoSince(ms: number): void {
    while ((this.#changes.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) >= ms) {
      const change = this.#changes.pop();
      if (change === undefined) return;
      if (change.before === undefined) this.entries.delete(change.key);
      else this.entries.set(change.key, change.before);
    }
  }
}

/** A server that can be asked, or how long a backend waits until it times out. */
export type Asked = { readonly server: StoreServer } | { readonly failsAfterMs: number };

/** The store of a mode: one server, a primary with replicas, or nodes that divide the keys. */
export class ModelStore {
  readonly name: string;
  readonly members: readonly StoreServer[];
  /** Number of sessions that fit into one server. */
  readonly roomFor: number;
  readonly evicts: boolean;
  readonly #spec: StoresSpec;
  readonly #time: VirtualTime;
  readonly #links: ModelLinks;
  /** Backends that use another server than the first. */
  readonly #directed = new Map<string, StoreServer>();

  constructor(name: string, spec: StoresSpec, ballastBytes: number, time: VirtualTime, links: ModelLinks) {
    this.name = name;
    this.#spec = spec;
    this.#time = time;
    this.#links = links;
    const names = isStoreServer(name) ? shapeOf(name, spec).members : [name];
    this.members = names.filter(member => !member.includes('sentinel')).map(member => new StoreServer(member));
    const [first, ...others] = this.members;
    if (name === 'redis') first?.replicas.push(...others);
    this.roomFor = roomIn(name, spec, ballastBytes);
    this.evicts = name === 'memcached' || spec.redis.eviction !== 'noeviction';
  }

  member(name: string): StoreServer {
    const found = this.members.find(member => member.name === name) ?? this.members[0];
    if (found === undefined) throw new Error(`${this.name} has no member`);
    return found;
  }

  /** Asks the server that keeps this key, over the link of this backend. */
  ask(backend: string, key: string): Asked {
    const server = this.#serverFor(backend, key);
    const link = this.#links.find(`${backend}->${server.name}`) ?? this.#links.find(`${backend}->${this.name}`);
    if (link?.isCut('forward') || link?.isCut('back')) {
      link.lose(callBytes);
      return { failsAfterMs: callTimeoutMs };
    }
    if (server.state === 'dead') return { failsAfterMs: refusedMs };
    if (server.state === 'hung') return { failsAfterMs: callTimeoutMs };
    server.asked += 1;
    return { server };
  }

  /** Returns the bytes that a link between two members lost. */
  missedBytes(link: string): number {
    return callBytes * (this.members.find(({ name }) => link.endsWith(`->${name}`))?.missed ?? 0);
  }

  /** Makes backends use another server. */
  directTo(to: StoreServer, backends: readonly string[]): void {
    for (const backend of backends) this.#directed.set(backend, to);
  }

  /** Makes room for a session. Returns false if a full server refuses it. */
  makeRoom(server: StoreServer): boolean {
    if (server.entries.size < this.roomFor) return true;
    if (!this.evicts) return false;
    const [oldest] = server.entries.keys();
    if (oldest !== undefined) server.entries.delete(oldest);
    server.evictions += 1;
    return true;
  }

  kill(server: StoreServer): void {
    server.state = 'dead';
    const nowMs = this.#time.now();
    if (this.name === 'memcached') server.entries.clear();
    else if (this.name === 'postgres')
      server.undoSince(this.#spec.postgres.commit === 'asynchronous' ? nowMs - 500 : nowMs);
    else if (this.#spec.redis.persistence !== 'aof') server.entries.clear();
    if (this.#spec.redis.sentinels > 0 && server === this.members[0]) this.#promoteLater();
  }

  /** Promotes the replica later, as sentinels do. */
  #promoteLater(): void {
    const [primary, replica] = this.members;
    this.#time.after(1_000, () => {
      if (replica === undefined || primary?.state !== 'dead') return;
      this.promote(replica);
    });
  }

  /** Makes a replica the primary for these backends, or for all. */
  promote(replica: StoreServer, backends?: readonly string[]): void {
    // If the replication link is cut, the old primary does not notice the promotion, and continues to replicate.
    for (const { replicas } of this.members) if (replicas.every(({ feed }) => feed !== 'cut')) replicas.splice(0);
    replica.isPromoted = true;
    this.directTo(replica, backends ?? this.#allBackends);
  }

  /** Makes the old primary a replica of the new one. It loses what only it had. */
  followPromoted(replica: StoreServer): void {
    const [primary] = this.members;
    if (primary === undefined) return;
    primary.copy(replica);
    primary.feed = 'well';
    if (!replica.replicas.includes(primary)) replica.replicas.push(primary);
    this.directTo(replica, this.#allBackends);
  }

  #allBackends: readonly string[] = [];

  useFor(backends: readonly string[]): void {
    this.#allBackends = backends;
  }

  /** Returns the server that is now the primary for this backend. */
  primaryOf(backend: string): StoreServer {
    return this.#directed.get(backend) ?? this.member('');
  }

  #serverFor(backend: string, key: string): StoreServer {
    if (this.name !== 'memcached') return this.primaryOf(backend);
    return this.members[hash(key) % this.members.length] ?? this.member('');
  }
}

/** Returns how many sessions fit. As in the scenarios, 1 MB of memcached holds some sixty sessions of 16 KB. An empty
 * Redis uses one MB of its memory. */
function roomIn(name: string, { redis, memcached }: StoresSpec, ballastBytes: number): number {
  const memoryMb = name === 'redis' ? redis.memoryMb && redis.memoryMb - 1 : name === 'memcached' && memcached.memoryMb;
  if (!memoryMb || ballastBytes < 1_000) return Number.POSITIVE_INFINITY;
  return Math.floor((memoryMb * 1_000_000) / (ballastBytes * (name === 'redis' ? 1.5 : 1.05)));
}

/** Returns the FNV-1a hash. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
