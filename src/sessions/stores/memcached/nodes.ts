import type { StoreSettings } from '../../session-store.js';
import { Server } from './server.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * The servers over which the keys are spread; they know nothing of each other. A key belongs to one of them and to no
 * other, also while that one is away: then what concerns the key is `StoreUnavailable`. Another one in its place would
 * have nothing for it, so everybody would be logged out at once, and when the first is back it would have what was
 * forgotten or changed meanwhile. libmemcached does the same by default; its other way is to eject the dead.
 */
export class Nodes {
  readonly all: readonly [Server, ...Server[]];

  constructor([first, ...others]: readonly [Address, ...Address[]], settings: StoreSettings) {
    const serverAt = (address: Address) =>
      new Server(address, others.length === 0 ? settings : named(address, settings));
    this.all = [serverAt(first), ...others.map(serverAt)];
  }

  /**
   * Rendezvous hashing: each node has a weight for this digest, and the heaviest keeps it. So a further node at the end of
   * the address takes its share from all, and nothing else moves. Only the place in the address counts: whoever takes
   * the place of another serves its keys, and the same server may be known by several names.
   */
  of(digest: string): Server {
    let [found] = this.all;
    let most = -1;
    if (this.all.length === 1) return found;
    for (const [place, server] of this.all.entries()) {
      const weight = weightOf(digest, place);
      if (weight > most) [found, most] = [server, weight];
    }
    return found;
  }

  /** When what is begun now must be done. */
  untilMs(): number {
    return this.all[0].untilMs();
  }

  /** For what takes more than one question: each may be in time, and all together late. */
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

/** A digest is even already; the finalizer of MurmurHash3 mixes the place into it. */
function weightOf(digest: string, place: number): number {
  let bits = Number.parseInt(digest.slice(0, 8), 16) ^ Math.imul(place + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function named({ host, port }: Address, settings: StoreSettings): StoreSettings {
  return {
    ...settings,
    onTransition: ({ up, why }) => settings.onTransition?.({ up, why: `${host}:${port}: ${why}` }),
  };
}
