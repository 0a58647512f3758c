import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { RedisAddress, ServerAddress } from '../../../shared/redis-address.js';
import { withTimeout } from '../../session-store.js';
import {
  batchWrites,
  type ConnectionOptions,
  hasCode,
  loginOf,
  newClient,
  type RedisConnection,
  reasonOf,
  retryDelayMs,
  serverOptions,
  tlsOf,
} from './connection.js';

/**
 * One connection to each primary of a Redis Cluster. The loss of a node affects only the keys of that node.
 *
 * key -> slot -> node of the slot -> command -> "not here" (MOVED, ASK): the named node, once
 *                                           -> any other failure: reject, and read the slot map again
 *
 * The cluster class of the client library queues and resends commands by itself. It also hides which node ran a
 * command, and a later WAIT must know that.
 */
export class RedisCluster implements RedisConnection {
  readonly #address: RedisAddress;
  readonly #options: ConnectionOptions;
  readonly #security: ReturnType<typeof loginOf> & ReturnType<typeof tlsOf>;
  readonly #closing = new AbortController();
  readonly #nodes = new Map<string, Redis>();
  readonly #slots = new Map<string, number>();
  #map: SlotMap = emptyMap;
  #isRestoring = false;
  /** Number of events that made the slot map doubtful. */
  #doubts = 0;

  constructor(address: RedisAddress, options: ConnectionOptions) {
    this.#address = address;
    this.#security = { ...loginOf(address), ...tlsOf(address) };
    this.#options = options;
    void this.#restore();
  }

  async at<Answer>(key: string, question: (server: Redis) => Promise<Answer>): Promise<Answer> {
    const startedAtMs = performance.now();
    const slot = slotOf(key);
    const { node, place } = this.#serverOf(slot);
    try {
      batchWrites(node);
      return await question(node);
    } catch (error) {
      if (hasCode(error, 'CLUSTERDOWN')) this.#reportLost(`${nameOf(place)} serves nothing now: CLUSTERDOWN`);
      const elsewhere = redirectionIn(error, place);
      if (elsewhere === undefined) throw error;
      if (elsewhere.isMoved) this.#recordMove(slot, elsewhere.place);
      const leftMs = this.#options.deadlineMs - (performance.now() - startedAtMs);
      const late = () => new Error(`${nameOf(elsewhere.place)}, which serves the key now, did not answer in time`);
      return withTimeout(leftMs, this.#askAt(elsewhere, leftMs, question), late);
    }
  }

  findNear(key: string, keys: readonly string[]): string {
    const owner = this.#map.owners[slotOf(key)];
    return keys.find(each => this.#map.owners[this.#slotOfCopy(each)] === owner) ?? keys[0] ?? '';
  }

  async check(): Promise<void> {
    await Promise.all(this.#servers().map(node => assertServing(node)));
  }

  close(): void {
    this.#closing.abort();
    for (const node of this.#nodes.values()) node.disconnect();
  }

  #serverOf(slot: number): { node: Redis; place: ServerAddress } {
    const name = this.#map.owners[slot];
    if (name === undefined) throw new Error(`no server is known that serves slot ${slot}`);
    const place = this.#placeOf(name);
    return { node: this.#nodeAt(place), place };
  }

  /** Returns the slot of a key that is asked again and again. */
  #slotOfCopy(key: string): number {
    const slot = this.#slots.get(key) ?? slotOf(key);
    this.#slots.set(key, slot);
    return slot;
  }

  /** Returns one server for each share of the keys. Throws if a share has no server. */
  #servers(): readonly Redis[] {
    return this.#neededServers().map(name => this.#nodeAt(this.#placeOf(name)));
  }

  /** Returns the names of all servers that the keys need. Throws if some slot has no server. */
  #neededServers(): readonly string[] {
    const { key } = this.#options;
    const names = new Set(key === undefined ? this.#map.owners : [this.#map.owners[slotOf(key)]]);
    return [...names].map(name => {
      if (name === undefined) throw new Error('no server is known for some of the slots');
      return name;
    });
  }

  #placeOf(name: string): ServerAddress {
    const at = name.lastIndexOf(':');
    return this.#map.places.get(name) ?? { host: name.slice(0, at), port: Number(name.slice(at + 1)) };
  }

  #nodeAt(place: ServerAddress): Redis {
    const name = nameOf(place);
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    const node = newClient({ ...serverOptions(this.#options.deadlineMs), ...this.#security, ...place });
    if (this.#closing.signal.aborted) node.disconnect();
    this.#nodes.set(name, node);
    // Every command that waits for its connection adds a listener.
    node.setMaxListeners(0);
    let lastError: Error | undefined;
    node.on('error', error => {
      lastError = error;
    });
    node.on('close', () => {
      if (this.#nodes.get(name) === node) this.#reportLost(`${name}: ${reasonOf(lastError)}`);
    });
    return node;
  }

  async #askAt<Answer>(
    { place, isMoved }: Redirection,
    leftMs: number,
    question: (server: Redis) => Promise<Answer>,
  ): Promise<Answer> {
    const node = this.#nodeAt(place);
    if (node.status !== 'ready')
      await once(node, 'ready', { signal: AbortSignal.timeout(Math.max(1, Math.ceil(leftMs))) });
    batchWrites(node);
    // ASKING holds only for the next command, so it is sent right before it.
    if (!isMoved) node.asking().catch(() => undefined);
    return question(node);
  }

  #recordMove(slot: number, place: ServerAddress): void {
    this.#map.owners[slot] = nameOf(place);
    this.#markDoubtful();
  }

  #reportLost(why: string): void {
    if (this.#closing.signal.aborted) return;
    this.#options.onDown?.(why);
    this.#markDoubtful();
  }

  #markDoubtful(): void {
    this.#doubts++;
    void this.#restore();
  }

  /** Reconnects until every needed server answers and no event made the map doubtful meanwhile. */
  async #restore(): Promise<void> {
    if (this.#isRestoring) return;
    this.#isRestoring = true;
    const { signal } = this.#closing;
    for (let times = 1; !signal.aborted; times++) {
      const doubts = this.#doubts;
      const why = await this.#reconnect().catch((error: Error) => error);
      if (signal.aborted) return;
      if (why === undefined && doubts === this.#doubts) break;
      if (why !== undefined) this.#options.onDown?.(reasonOf(why));
      await delay(retryDelayMs(times + 1), undefined, { signal }).catch(() => undefined);
    }
    this.#isRestoring = false;
    if (!signal.aborted) this.#options.onUp?.();
  }

  async #reconnect(): Promise<undefined> {
    this.#map = await this.#readMap();
    const owners = new Set(this.#map.owners);
    for (const [name, node] of this.#nodes) {
      if (owners.has(name)) continue;
      this.#nodes.delete(name);
      node.disconnect();
    }
    await Promise.all(this.#servers().map(node => this.#assertAnswering(node)));
  }

  async #assertAnswering(node: Redis): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#options.deadlineMs)]);
    if (node.status !== 'ready') await once(node, 'ready', { signal });
    await assertServing(node);
  }

  /** Reads the slot map from the first node that answers. It asks the connected nodes; if all fail, it asks every node
   * that it knows. */
  async #readMap(): Promise<SlotMap> {
    const connected = [...this.#nodes].filter(([, { status }]) => status === 'ready');
    const asks = connected.map(([name, node]) => readMapFrom(node, this.#placeOf(name)));
    return takeFirst(asks).catch(() => {
      const places = new Map([...this.#address.places, ...this.#map.places.values()].map(each => [nameOf(each), each]));
      return takeFirst([...places.values()].map(place => this.#readMapFromUnconnected(place)));
    });
  }

  async #readMapFromUnconnected(place: ServerAddress): Promise<SlotMap> {
    const options = { ...serverOptions(this.#options.deadlineMs), ...this.#security, ...place };
    const node = newClient({ ...options, lazyConnect: true, retryStrategy: () => null });
    let lastError: Error | undefined;
    node.on('error', error => {
      lastError = error;
    });
    try {
      await node.connect();
      return await readMapFrom(node, place);
    } catch (error) {
      throw new Error(`${nameOf(place)}: ${reasonOf(lastError ?? (error instanceof Error ? error : undefined))}`);
    } finally {
      node.disconnect();
    }
  }
}

/** Reads the slot map of a node. A node without the others (cut off, or just started) has an old map, and reports that
 * it serves nothing. */
async function readMapFrom(node: Redis, place: ServerAddress): Promise<SlotMap> {
  const [slots] = await Promise.all([node.cluster('SLOTS'), assertServing(node)]);
  return slotMapIn(slots, place);
}

async function assertServing(node: Redis): Promise<void> {
  if (String(await node.cluster('INFO')).includes('cluster_state:ok')) return;
  throw new Error(
    `${node.options.host}:${node.options.port} serves nothing now: it cannot reach the others, or a slot has no node`,
  );
}

async function takeFirst<T>(promises: readonly Promise<T>[]): Promise<T> {
  try {
    return await Promise.any(promises);
  } catch (error) {
    throw error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  }
}

const slotCount = 16_384;
const polynomial = 0x1021;
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ polynomial : crc << 1;
  return crc;
});

/** Returns the slot of a key: the CRC-16 of the Redis Cluster specification. Hash tags need no care, because our keys
 * have no braces. */
export function slotOf(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(key)) crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] ?? 0);
  return crc % slotCount;
}

/** The assignment of slots to servers, as one node of the cluster sees it. */
interface SlotMap {
  /** The name of the primary by slot. Undefined for a slot without one. */
  readonly owners: (string | undefined)[];
  /** Every node by its name: primaries and replicas. Replicas know the slot map too. */
  readonly places: ReadonlyMap<string, ServerAddress>;
}

const emptyMap: SlotMap = { owners: Array.from({ length: slotCount }, () => undefined), places: new Map() };

export function nameOf({ host, port }: ServerAddress): string {
  return `${host}:${port}`;
}

/** Parses the reply to CLUSTER SLOTS: `[first, last, [host, port, …] of the primary, … of its replicas]`, repeated. */
export function slotMapIn(reply: unknown, asked: ServerAddress): SlotMap {
  const owners = [...emptyMap.owners];
  const places = new Map<string, ServerAddress>();
  for (const [first, last, ...nodes] of lists(reply)) {
    const found = lists(nodes).map(([host, port]) => ({ host: hostIn(host, asked), port: Number(port) }));
    for (const place of found) places.set(nameOf(place), place);
    const [primary] = found;
    if (primary !== undefined) owners.fill(nameOf(primary), Number(first), Number(last) + 1);
  }
  return { owners, places };
}

/** The reply of a node whose slot is (MOVED), or may already be (ASK), on another node. The node did not run the
 * command. */
interface Redirection {
  readonly isMoved: boolean;
  readonly place: ServerAddress;
}

export function redirectionIn(error: unknown, asked: ServerAddress): Redirection | undefined {
  if (!(error instanceof Error)) return undefined;
  const [, word, host, port] = /^(MOVED|ASK) \d+ (\S*):(\d+)$/.exec(error.message) ?? [];
  return word === undefined
    ? undefined
    : { isMoved: word === 'MOVED', place: { host: hostIn(host, asked), port: Number(port) } };
}

/** Returns the host. A node that does not know its own name means the host that was asked. */
function hostIn(host: unknown, asked: ServerAddress): string {
  return typeof host === 'string' && host !== '' ? host : asked.host;
}

function lists(reply: unknown): readonly (readonly unknown[])[] {
  return Array.isArray(reply) ? reply.filter(Array.isArray) : [];
}
