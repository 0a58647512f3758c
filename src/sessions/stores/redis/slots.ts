import type { ServerAddress } from '../../../shared/redis-address.js';

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
export interface SlotMap {
  /** The name of the primary by slot. Undefined for a slot without one. */
  readonly owners: (string | undefined)[];
  /** Every node by its name: primaries and replicas. Replicas know the slot map too. */
  readonly places: ReadonlyMap<string, ServerAddress>;
}

export const emptyMap: SlotMap = { owners: Array.from({ length: slotCount }, () => undefined), places: new Map() };

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
export interface Redirection {
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
