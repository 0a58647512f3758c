import type { StoreSettings } from '../../session-store.js';
import { Server } from './server.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The servers of a user. */
export interface Home {
  /** Has the sessions, their list, and the epoch of the user. */
  readonly first: Server;
  /** Has a copy of the epoch. Undefined if there is one server only. */
  readonly second: Server | undefined;
}

/**
 * The servers over which the users are spread. They do not know each other. The sessions of a user belong to one
 * server, also while that server is down; then their calls reject with `StoreUnavailable`.
 *
 * Failing over to another server would log users out at once, because it has none of their sessions. After the first
 * server is back, sessions that were ended or changed meanwhile would reappear as they were. libmemcached also keeps
 * the keys at a dead server by default; its alternative is to eject the server.
 */
export class Nodes {
  readonly all: readonly [Server, ...Server[]];

  constructor([first, ...others]: readonly [Address, ...Address[]], settings: StoreSettings) {
    const serverAt = (address: Address) =>
      new Server(address, others.length === 0 ? settings : nameTransitions(address, settings));
    this.all = [serverAt(first), ...others.map(serverAt)];
  }

  /**
   * Returns the servers of a user by rendezvous hashing: each server has a weight for the tag of the user. The largest
   * weight has the sessions, the second largest a copy of the epoch. A server that is appended to the address takes its
   * share from all others, and no other users move. If the first server of a user is taken out, the second is the first.
   *
   * Only the position in the address counts. A server that replaces another one at its position gets its users. Backends
   * may use different names for the same server.
   */
  homeOf(tag: string): Home {
    const [only] = this.all;
    if (this.all.length === 1) return { first: only, second: undefined };
    const bits = Buffer.from(tag.slice(0, 8), 'base64url').readUInt32BE(0);
    const weights = this.all.map((server, place) => ({ server, weight: weightOf(bits, place) }));
    const [first, second] = weights.toSorted((one, other) => other.weight - one.weight);
    return { first: first?.server ?? only, second: second?.server };
  }

  /** Returns the deadline of work that begins now. */
  untilMs(): number {
    return this.all[0].untilMs();
  }

  /** Applies the deadline to a sequence of commands. Each command could be in time, and the sequence late. */
  inTime<T>(work: (untilMs: number) => Promise<T>): Promise<T> {
    return this.all[0].inTime(work);
  }

  async ready(waitMs: number): Promise<boolean> {
    return (await Promise.all(this.all.map(server => server.ready(waitMs)))).every(Boolean);
  }

  close(): void {
    for (const server of this.all) server.close();
  }
}

/** Returns the weight of a position. The tag is uniform already; the finalizer of MurmurHash3 mixes the position into
 * it. */
function weightOf(tag: number, place: number): number {
  let bits = tag ^ Math.imul(place + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function nameTransitions({ host, port }: Address, settings: StoreSettings): StoreSettings {
  return {
    ...settings,
    onTransition: ({ up, why }) => settings.onTransition?.({ up, why: `${host}:${port}: ${why}` }),
  };
}
